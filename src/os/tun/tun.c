#include "os/tun/tun.h"
#include "core/offload/offload.h"
#include "core/wg/wg.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static_assert(TUN_NAME_MAX == IFNAMSIZ - 1, "a name and its end");

enum {
	FRAME_CAP = OFFLOAD_HDR_LEN + OFFLOAD_PACKET_MAX,
	ROUNDS = 16, /* frames a wake-up, before others have their turn */
	/* What a super-packet becomes, and more that follow it; with the overhead of each of its packets. */
	OUT_CAP = 4 * OFFLOAD_PACKET_MAX,
};

struct tun {
	struct loop_watch *watch;
	struct tun_cfg cfg;
	int fd;
	char name[IFNAMSIZ];
	bool udp_offload;                /* the kernel gives and takes UDP super-packets */
	bool no_tcp_merge, no_udp_merge; /* tun_set_merge */
	bool closed; /* from inside a callback: freed at the end of the wake-up */
	bool reading;
	struct tun_counters counters;
	struct pkt pkt[PKT_BATCH_MAX];
	size_t n, used; /* packets in out, and bytes of it */
	uint8_t frame[FRAME_CAP];
	uint8_t out[OUT_CAP];
};

static int set_mtu(const char *name, int mtu)
{
	struct ifreq r = { .ifr_mtu = mtu };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

	if (fd < 0 && errno == EAFNOSUPPORT)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	strcpy(r.ifr_name, name);
	if (ioctl(fd, SIOCSIFMTU, &r) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static void ask_for_offload(struct tun *t)
{
	const unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

	t->udp_offload = ioctl(t->fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0;
	if (!t->udp_offload)
		(void)ioctl(t->fd, TUNSETOFFLOAD,
			tcp); /* older than Linux 6.2; without any of it all still works */
}

static int attach(struct tun *t)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };

	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return -errno;
	strcpy(r.ifr_name, t->cfg.name);
	if (ioctl(t->fd, TUNSETIFF, &r) < 0)
		return -errno;
	memcpy(t->name, r.ifr_name, sizeof(t->name));
	if (!t->cfg.no_offload)
		ask_for_offload(t);
	return set_mtu(t->name, t->cfg.mtu);
}

static void release(struct tun *t)
{
	t->watch = loop_watch_free(t->watch);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

static void hand_over(struct tun *t)
{
	size_t n = t->n;

	t->n = t->used = 0;
	if (n && !t->closed)
		t->cfg.on_packets(t->cfg.ctx, t->pkt, n);
}

/* Cuts one frame into the buffer: each packet begins where the datagram of the one before will end. */
static void cut(struct tun *t, size_t len)
{
	struct offload_split s;
	size_t n;

	if (offload_split_begin(&s, t->frame, len) < 0) {
		t->counters.in_bad++;
		return;
	}
	while ((n = offload_split_peek(&s)) && !t->closed) {
		struct pkt *pkt;

		if (t->n == PKT_BATCH_MAX || OUT_CAP - t->used < PKT_ROOM(n))
			hand_over(t);
		pkt = &t->pkt[t->n++];
		*pkt = pkt_in(t->out + t->used, n);
		(void)offload_split_next(&s, pkt->p);
		t->used += wg_sealed_len((size_t)t->cfg.mtu, n);
		t->counters.in_packets++;
	}
}

static void on_ready(void *ctx, int events)
{
	struct tun *t = ctx;
	ssize_t n = 0;

	t->reading = true;
	for (int i = 0; i < ROUNDS && !t->closed; i++) {
		n = read(t->fd, t->frame, FRAME_CAP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		t->counters.in_frames++;
		cut(t, (size_t)n);
	}
	if (n < 0 && errno != EAGAIN && !t->closed) {
		int rc = -errno;

		loop_watch_set(t->watch, 0);
		hand_over(t);
		if (!t->closed)
			t->cfg.on_gone(t->cfg.ctx, rc);
	}
	hand_over(t);
	t->reading = false;
	if (t->closed)
		release(t);
}

int tun_open(struct tun **ret, struct loop *l, const struct tun_cfg *cfg)
{
	struct tun *t;
	int rc;

	if (strlen(cfg->name) > TUN_NAME_MAX || cfg->mtu < TUN_MTU_MIN || cfg->mtu > TUN_MTU_MAX)
		return -EINVAL;
	t = calloc(1, sizeof(*t)); /* what is not used yet is not in memory yet */
	if (!t)
		return -ENOMEM;
	t->cfg = *cfg;
	t->fd = -1;
	rc = attach(t);
	t->cfg.name = t->name;
	if (rc == 0)
		rc = loop_watch_new(l, t->fd, on_ready, t, &t->watch);
	if (rc < 0) {
		release(t);
		return rc;
	}
	loop_watch_set(t->watch, LOOP_READ);
	*ret = t;
	return 0;
}

struct tun *tun_close(struct tun *t)
{
	if (!t)
		return NULL;
	t->closed = true;
	if (!t->reading)
		release(t);
	return NULL;
}

bool tun_has_udp_offload(const struct tun *t)
{
	return t->udp_offload;
}

const char *tun_name(const struct tun *t)
{
	return t->name;
}

const struct tun_counters *tun_counters(const struct tun *t)
{
	return &t->counters;
}

static void write_group(struct tun *t, const struct offload_pkt *pkt, struct offload_group *g)
{
	struct iovec v[1 + OFFLOAD_MERGE_MAX];
	int n = 0;

	v[n++] = (struct iovec){ g->hdr, OFFLOAD_HDR_LEN };
	for (uint16_t i = g->first; i != OFFLOAD_LAST; i = pkt[i].next) {
		size_t skip = i == g->first ? 0 : g->hdr_len;

		v[n++] = (struct iovec){ pkt[i].p + skip, pkt[i].len - skip };
	}
	t->counters.out_frames++;
	if (writev(t->fd, v, n) < 0)
		t->counters.out_failed++;
}

static void write_some(struct tun *t, const struct pkt *pkt, size_t n)
{
	struct offload_pkt in[OFFLOAD_MERGE_MAX];
	struct offload_group g[OFFLOAD_MERGE_MAX];
	size_t n_groups;

	for (size_t i = 0; i < n; i++)
		in[i] = (struct offload_pkt){ .p = pkt[i].p, .len = pkt[i].len };
	if (t->cfg.no_offload || t->no_tcp_merge) {
		for (size_t i = 0; i < n; i++) {
			struct offload_group one = { .first = (uint16_t)i };

			in[i].next = OFFLOAD_LAST;
			write_group(t, in, &one);
		}
		return;
	}
	n_groups = offload_merge(in, n, t->udp_offload && !t->no_udp_merge, g);
	for (size_t i = 0; i < n_groups; i++)
		write_group(t, in, &g[i]);
}

void tun_set_merge(struct tun *t, bool tcp, bool udp)
{
	t->no_tcp_merge = !tcp;
	t->no_udp_merge = !udp;
}

void tun_write(struct tun *t, struct pkt *pkt, size_t n)
{
	t->counters.out_packets += n;
	for (size_t i = 0; i < n; i += OFFLOAD_MERGE_MAX)
		write_some(t, pkt + i, MIN_OF(n - i, (size_t)OFFLOAD_MERGE_MAX));
}
