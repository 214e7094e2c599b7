/*
 * Clients, servers and time, as a byte string wants it. Whatever comes: each question has one answer, nothing is left behind when all
 * time-outs are over, and the bounds hold.
 */
#include "core/dns/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { LIVE_MAX = 64, CHUNK_MAX = 512 };

struct live {
	uint64_t exchange;
	size_t len;
	uint8_t msg[DNS_ASK_MAX];
};

struct fuzz {
	struct dns *d;
	struct dns_names *names;
	struct now now;
	struct live live[LIVE_MAX];
	size_t n_live;
	uint64_t asked, answered;
};

static void take(struct fuzz *f)
{
	struct dns_out o;
	struct dnsmsg m;

	while (dns_next(f->d, &o)) {
		if (o.kind == DNS_ANSWER) {
			f->answered++;
			CHECK(dnsmsg_read(o.msg, &m) == 0 && m.h.flags & DNSMSG_QR);
			CHECK(o.who.stream || o.msg.len <= DNS_UDP_ANSWER_MAX);
		} else if (o.kind == DNS_SEND && f->n_live < LIVE_MAX) {
			struct live *l = &f->live[f->n_live++];

			CHECK(o.msg.len <= sizeof(l->msg));
			l->exchange = o.exchange;
			l->len = o.msg.len;
			memcpy(l->msg, o.msg.p, o.msg.len);
		}
	}
	CHECK(f->d->n_waiters <= DNS_WAITERS_MAX && f->d->n_jobs <= DNS_JOBS_MAX);
	CHECK(f->d->cache.map.n_items <= DNS_CACHE_ENTRIES_MAX &&
		f->d->cache.bytes <= DNS_CACHE_BYTES_MAX);
}

static void configure(struct fuzz *f, uint8_t bits, struct view text)
{
	char suffix[CHUNK_MAX + 1];
	struct dns_upstream up[] = { { .addr = { { 4, { 10, 0, 0, 1 } }, 53 } },
		{ .transport = DNS_HTTPS, .url = "https://dns.corp.test/dns-query" },
		{ .addr = { { 4, { 9, 9, 9, 9 } }, 53 } },
		{ .transport = DNS_PEER, .url = "http://100.64.0.3:1/dns-query" } };
	const struct dns_route route = { suffix, up, bits & 3 };
	const struct dns_record record = { suffix,
		bits & 4   ? "TXT"
		: bits & 8 ? "CNAME"
			   : "",
		suffix };
	const char *filtered[] = { suffix };
	struct dns_config c = { .names = f->names,
		.domain = bits & 16 ? "tail.test" : suffix,
		.magic = bits & 32,
		.v6_only = bits & 64,
		.no_tcp_retries = bits & 128,
		.records = &record,
		.n_records = 1,
		.routes = &route,
		.n_routes = 1,
		.defaults = up,
		.n_defaults = 3,
		.filtered = filtered,
		.n_filtered = 1 };

	snprintf(suffix, sizeof(suffix), "%.*s", (int)text.len, (const char *)text.p);
	CHECK(dns_configure(f->d, &c, f->now) == 0);
	CHECK(dns_set_base(f->d, up, bits & 1, f->now) == 0);
}

/* As it came, or as an answer to what was sent: its header and question, then whatever there is. */
static void reply(struct fuzz *f, uint8_t bits, struct view v)
{
	uint8_t msg[DNS_ASK_MAX + CHUNK_MAX];
	struct live *l;

	if (!f->n_live)
		return;
	l = &f->live[bits % f->n_live];
	if (bits & 0x80) {
		(void)dns_reply(f->d, l->exchange, v, f->now);
	} else if (bits & 0x40) {
		dns_failed(f->d, l->exchange, -ECONNREFUSED, f->now);
	} else {
		memcpy(msg, l->msg, l->len);
		msg[2] |= 0x80;
		if (v.len > 2) {
			msg[3] = (uint8_t)((msg[3] & 0xf0) | (v.p[0] & 0x0f));
			msg[7] = v.p[1] & 3;
			msg[9] = v.p[1] >> 2 & 1;
			memcpy(msg + l->len, v.p + 2, v.len - 2);
		}
		(void)dns_reply(f->d, l->exchange,
			view_of(msg, l->len + (v.len > 2 ? v.len - 2 : 0)), f->now);
	}
	*l = f->live[--f->n_live];
}

static void pass(struct fuzz *f, mono_ns d)
{
	f->now.mono += d;
	dns_tick(f->d, f->now);
	take(f);
}

static void step(struct fuzz *f, uint8_t what, uint8_t bits, struct view v)
{
	struct dns_client who = {
		.id = bits & 3, .group = bits & 1, .stream = bits & 4, .peer = bits & 8
	};

	switch (what % 8) {
	case 0:
		pass(f, MSEC(bits) * 20);
		break;
	case 1:
		configure(f, bits, v);
		break;
	case 2:
		dns_network_changed(f->d, f->now);
		break;
	case 3:
	case 4:
		reply(f, bits, v);
		break;
	default:
		f->asked += dns_ask(f->d, who, v, f->now);
	}
	take(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct rng_seeded rng;
	static struct fuzz f;
	struct dns_host h = {
		.addrs = { { 4, { 100, 64, 0, 1 } } }, .n_addrs = 1, .wildcard = true
	};
	struct cur c = cur_over(data, len);

	rng_seeded_init(&rng, 1);
	f = (struct fuzz){ .now = { .mono = SEC(100), .wall = 1000 } };
	CHECK(dns_new(&f.d, &rng.rng) == 0 && dns_names_new(&f.names, &rng.rng) == 0);
	CHECK(dnsmsg_name_parse("a.tail.test", 11, &h.name) == 0 &&
		dns_names_set(f.names, 1, &h) == 0);
	configure(&f, 0xff & ~192, VIEW_LIT("corp.test"));
	while (cur_left(&c) >= 4) {
		uint8_t what = cur_u8(&c), bits = cur_u8(&c);
		size_t n = MIN_OF((size_t)cur_be16(&c) % CHUNK_MAX, cur_left(&c));

		step(&f, what, bits, cur_view(&c, n));
	}
	for (int i = 0; i < 100; i++)
		pass(&f, MSEC(200));
	CHECK(f.asked == f.answered);
	CHECK(!f.d->n_jobs && !f.d->n_waiters && !f.d->exchanges.n_items && !f.d->groups.n_items);
	CHECK(dns_deadline(f.d) == MONO_NEVER);
	dns_free(f.d);
	dns_names_free(f.names);
	return 0;
}
