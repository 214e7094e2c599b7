/*
 * A device with valid keys forges the source of what it sends, so that another one sends to a stranger: at most three times what
 * seemed to come from there, whatever flows between the two, and nothing of that is lost.
 */
#include "core/path/path.h"
#include "tests/sim/matrix.h"

enum { FACTOR = PATH_UNPROVEN_FACTOR, STRANGERS = 3 };

struct stranger {
	struct vnet_udp *udp;
	struct ipport at;
	uint64_t bytes;
};

static void on_packet(void *ctx, struct ipport from, const uint8_t *p, size_t len)
{
	((struct stranger *)ctx)->bytes += len + PATH_HEADERS4;
	(void)from;
	(void)p;
}

static void stranger_open(struct simnet *w, struct stranger *s, unsigned n)
{
	struct vnet_dev *d = vnet_host(w->v, "stranger");
	char addr[32];

	snprintf(addr, sizeof(addr), "203.0.113.%u", 200 + n);
	vnet_addr_add(vnet_plug(d, w->inet), addr);
	*s = (struct stranger){ .at = { vnet_addr(d, 4), 53 } };
	s->udp = vnet_udp_open(d, 53, on_packet, s);
}

/* A burst of a download: datagrams of full size that nothing answers. */
static void download(struct sim_node *from, struct sim_node *to)
{
	uint8_t p[1280] = { 0x45, 0, 1280 >> 8, 1280 & 255, 0, 0, 0, 0, 64, 17 };

	memcpy(p + 12, sim_node_addr(from).b, 4);
	memcpy(p + 16, sim_node_addr(to).b, 4);
	store_be16(p + 20, 9);
	store_be16(p + 22, 9);
	store_be16(p + 24, sizeof(p) - 20);
	for (int i = 0; i < 10; i++)
		sim_node_send(from, p, sizeof(p));
}

static void forgery(struct simnet *w, uint64_t seed)
{
	struct sim_node_forgery f[STRANGERS] = { 0 };
	struct stranger s[STRANGERS];
	struct ping_result r;
	struct pinger *there, *back;
	unsigned k = 0;

	/* No router stands before them: one with a NAT would let no packet of a stranger in, nor a forged one out. */
	topology_build(w, seed, topology_find("no-nat"),
		(struct simnet_cfg){ .links = seed % 2 ? &link_model_lab : &link_model_far });
	topology_up(w);
	for (unsigned i = 0; i < STRANGERS; i++) {
		stranger_open(w, &s[i], i);
		f[i] = (struct sim_node_forgery){ .as = s[i].at,
			.drop_disco = seed / 2 % 2,
			.one_in = 1 + (unsigned)(seed / 4 % 3) * 7 };
	}
	there = pinger_start(w, w->nodes[1], w->nodes[0], MSEC(3));
	back = pinger_start(w, w->nodes[0], w->nodes[1], MSEC(10));
	for (int i = 0; i < 300; i++) {
		if (i % 20 == 0)
			k = (unsigned)rng_below(&w->rng.rng, STRANGERS);
		sim_node_forge(w->nodes[0], i < 10 || i > 280 ? NULL : &f[k]);
		download(w->nodes[1], w->nodes[0]);
		simnet_run(w, MSEC(100));
		for (unsigned j = 0; j < STRANGERS; j++)
			SIM_CHECK(w, s[j].bytes <= FACTOR * f[j].bytes,
				"%llu bytes sent to a stranger for %llu that seemed to be its",
				(unsigned long long)s[j].bytes, (unsigned long long)f[j].bytes);
	}
	pinger_result(there, &r);
	SIM_CHECK(w, r.answered > 0 && r.lost <= 2, "%zu pings lost", r.lost);
	pinger_result(back, &r);
	SIM_CHECK(w, r.answered > 0 && r.lost <= 2, "%zu pings lost on the way back", r.lost);
	for (unsigned j = 0; j < STRANGERS; j++) {
		stat_add("forgery", "bytes forged", (double)f[j].bytes);
		stat_add("forgery", "bytes reflected", (double)s[j].bytes);
		vnet_udp_close(s[j].udp);
	}
}

const struct scenario scenario_forgery = { "forgery",
	"a device that forges the source of what it sends", forgery, 24 };
