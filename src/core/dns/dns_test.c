/* The engine against servers that the test plays. */
#include "core/dns/internal.h"
#include "testlib/check.h"

#include "base/text/text.h"
#include "proto/tsaddr/tsaddr.h"

enum { OUTS_MAX = 64 };

struct sent {
	uint64_t exchange;
	struct dns_upstream to;
	struct ipport addr;
	size_t len;
	uint8_t msg[4096];
	bool over;
};

/* One engine, what it sent, what it answered. */
struct rig {
	struct dns *d;
	struct dns_names *names;
	struct rng_seeded rng;
	struct now now;
	struct sent sent[OUTS_MAX];
	size_t n_sent, n_answers, n_cancelled;
	struct dns_client who;
	struct dnsmsg answer;
	uint8_t bytes[ANSWER_MAX];
};

static struct rig w;

static struct dns_upstream plain(const char *text)
{
	struct dns_upstream u = { .transport = DNS_UDP, .addr.port = 53 };

	CHECK_INT(ipaddr_parse(text, strlen(text), &u.addr.ip), ==, 0);
	return u;
}

static void add_host(int64_t id, const char *name, const char *v4, const char *v6, bool wildcard)
{
	struct dns_host h = { .wildcard = wildcard };

	CHECK_INT(dnsmsg_name_parse(name, strlen(name), &h.name), ==, 0);
	if (v4)
		CHECK_INT(ipaddr_parse(v4, strlen(v4), &h.addrs[h.n_addrs++]), ==, 0);
	if (v6)
		CHECK_INT(ipaddr_parse(v6, strlen(v6), &h.addrs[h.n_addrs++]), ==, 0);
	CHECK_INT(dns_names_set(w.names, id, &h), ==, 0);
}

static void configure(const struct dns_upstream *defaults, size_t n)
{
	static const struct dns_record records[] = {
		{ "Printer.Tail.test.", "", "192.0.2.7" },
		{ "both.tail.test", "A", "192.0.2.8" },
		{ "both.tail.test", "A", "192.0.2.9" },
		{ "host.tail.test", "TXT", "hello" },
		{ "alias.tail.test", "CNAME", "host.tail.test" },
		{ "_x._tcp.tail.test", "SRV", "1 2 443 host.tail.test" },
		{ "alone.example", "A", "192.0.2.10" },
		{ "bad.tail.test", "A", "none" },
		{ "bad.tail.test", "LOC", "none" },
	};
	struct dns_upstream corp[] = { plain("10.1.0.1"), plain("10.1.0.2") },
			    lab = plain("10.2.0.1"), self = plain("100.100.100.100");
	const struct dns_route routes[] = {
		{ ".Corp.test.", corp, 2 },
		{ "lab.corp.test", &lab, 1 },
		{ "lab.tail.test", &lab, 1 },
		{ "tail.test", &lab, 1 },
		{ "none.test", NULL, 0 },
		{ "loop.test", &self, 1 },
	};
	static const char *const filtered[] = { ".secret.test" };
	struct dns_config c = { .names = w.names,
		.domain = "tail.test.",
		.magic = true,
		.records = records,
		.n_records = ARRAY_LEN(records),
		.routes = routes,
		.n_routes = ARRAY_LEN(routes),
		.defaults = defaults,
		.n_defaults = n,
		.filtered = filtered,
		.n_filtered = 1 };

	CHECK_INT(dns_configure(w.d, &c, w.now), ==, 0);
}

static int setup(void **state)
{
	struct dns_upstream two[] = { plain("10.0.0.1"), plain("10.0.0.2") };

	memset(&w, 0, sizeof(w));
	w.now = (struct now){ .mono = SEC(1000), .wall = 1700000000000 };
	rng_seeded_init(&w.rng, 7);
	CHECK_INT(dns_new(&w.d, &w.rng.rng), ==, 0);
	CHECK_INT(dns_names_new(&w.names, &w.rng.rng), ==, 0);
	add_host(1, "host.tail.test", "100.64.0.1", "fd7a:115c:a1e0::1", false);
	add_host(2, "six.tail.test", NULL, "fd7a:115c:a1e0::2", true);
	configure(two, 2);
	return 0;
}

static int teardown(void **state)
{
	dns_free(w.d);
	dns_names_free(w.names);
	return 0;
}

static void take(void)
{
	struct dns_out o;

	while (dns_next(w.d, &o)) {
		switch (o.kind) {
		case DNS_ANSWER:
			w.n_answers++;
			w.who = o.who;
			memcpy(w.bytes, o.msg.p, o.msg.len);
			CHECK_INT(dnsmsg_read(view_of(w.bytes, o.msg.len), &w.answer), ==, 0);
			break;
		case DNS_SEND:
			CHECK_TRUE(w.n_sent < OUTS_MAX && o.msg.len <= sizeof(w.sent[0].msg));
			w.sent[w.n_sent] = (struct sent){ .exchange = o.exchange,
				.to = *o.to,
				.addr = o.to->addr,
				.len = o.msg.len };
			memcpy(w.sent[w.n_sent++].msg, o.msg.p, o.msg.len);
			break;
		case DNS_CANCEL:
			w.n_cancelled++;
			for (size_t i = 0; i < w.n_sent; i++)
				w.sent[i].over |= w.sent[i].exchange == o.exchange;
			break;
		}
	}
}

/* Until then, each deadline in its turn. */
static void until(mono_ns t)
{
	while (dns_deadline(w.d) <= t) {
		w.now.mono = MAX_OF(w.now.mono, dns_deadline(w.d));
		dns_tick(w.d, w.now);
		take();
	}
	w.now.mono = t;
}

static void pass(mono_ns d)
{
	until(w.now.mono + d);
}

static struct view question(
	const char *name, uint16_t type, uint16_t class, uint16_t flags, int opt)
{
	static uint8_t buf[DNS_ASK_MAX];
	struct wcur c = wcur_over(buf, sizeof(buf));
	struct dnsmsg_question q = { .type = type, .class = class };

	CHECK_INT(dnsmsg_name_parse(name, strlen(name), &q.name), ==, 0);
	dnsmsg_put_header(&c, 0x1234, flags);
	dnsmsg_put_question(&c, &q);
	if (opt >= 0)
		dnsmsg_put_opt(&c, (uint16_t)opt, 0, true);
	return view_of(buf, wcur_len(&c));
}

/* Returns the result code of an answer that came at once; -1: none did. */
static int ask_as(struct dns_client who, const char *name, uint16_t type, uint16_t class,
	uint16_t flags, int opt)
{
	size_t before = w.n_answers;

	CHECK_TRUE(dns_ask(w.d, who, question(name, type, class, flags, opt), w.now));
	take();
	return w.n_answers > before ? w.answer.h.flags & DNSMSG_RCODE : -1;
}

static int ask(const char *name, uint16_t type)
{
	return ask_as((struct dns_client){ .id = 1 }, name, type, DNSMSG_IN, DNSMSG_RD, -1);
}

/* The records of the answer as text: "A 192.0.2.1,A 192.0.2.2". */
static const char *records(void)
{
	static char out[1024];
	struct dnsmsg_record r;
	size_t index = 0, n = 0;

	out[0] = 0;
	while (dnsmsg_next(w.answer.bytes, &w.answer.h, w.answer.question_end, &index, &r) == 0) {
		const uint8_t *p = w.answer.bytes.p + r.rdata_at;
		char text[DNSMSG_TEXT_MAX];
		struct dnsmsg_name name;
		size_t pos = r.rdata_at;

		if (r.type == DNSMSG_A)
			ipaddr_format(ipaddr_from4(p), text);
		else if (r.type == DNSMSG_AAAA)
			ipaddr_format(ipaddr_from16(p), text);
		else if (r.type == DNSMSG_PTR || r.type == DNSMSG_CNAME || r.type == DNSMSG_SOA)
			CHECK_TRUE(dnsmsg_name_read(w.answer.bytes, &pos, &name) == 0 &&
				   dnsmsg_name_format(&name, text));
		else
			snprintf(text, sizeof(text), "%zu", r.rdata_len);
		n += (size_t)snprintf(
			out + n, sizeof(out) - n, "%s%u %s", n ? "," : "", r.type, text);
	}
	return out;
}

/* Replies to the i-th exchange; returns whether it is over. */
static bool reply_with(size_t i, uint16_t flags, int n_answers, uint32_t ttl, bool soa)
{
	static uint8_t buf[DNS_REPLY_MAX];
	struct wcur c = wcur_over(buf, sizeof(buf));
	struct dnsmsg m;
	bool over;

	CHECK_TRUE(i < w.n_sent);
	CHECK_INT(dnsmsg_read(view_of(w.sent[i].msg, w.sent[i].len), &m), ==, 0);
	dnsmsg_put_header(&c, m.h.id, (uint16_t)(DNSMSG_QR | DNSMSG_RD | DNSMSG_RA | flags));
	dnsmsg_put_question(&c, &m.q);
	for (int k = 0; k < n_answers; k++)
		dnsmsg_put_address(
			&c, NULL, ipaddr_v4(203, 0, (uint8_t)(k >> 8), (uint8_t)(k + 1)), ttl);
	if (soa) {
		uint8_t *at = dnsmsg_begin_record(&c, DNSMSG_AUTHORITY, NULL, DNSMSG_SOA, ttl);

		wcur_be16(&c, 0);
		for (int k = 0; k < 5; k++)
			wcur_be32(&c, 20);
		dnsmsg_end_record(&c, at);
	}
	dnsmsg_put_opt(&c, 4096, 0, false);
	over = dns_reply(w.d, w.sent[i].exchange, view_of(buf, wcur_len(&c)), w.now);
	take();
	return over;
}

static bool reply(size_t i, uint16_t rcode)
{
	return reply_with(i, rcode, rcode ? 0 : 1, 60, false);
}

/* To whom the i-th exchange went: "10.0.0.1:53 0". */
static const char *sent_to(size_t i)
{
	static char out[512];
	char text[IPPORT_TEXT_MAX];

	CHECK_TRUE(i < w.n_sent);
	snprintf(out, sizeof(out), "%s %d", ipport_format(w.sent[i].addr, text),
		w.sent[i].to.transport);
	return out;
}

/* ---- Names of the tailnet ---- */

static void names_of_the_tailnet_are_answered_here(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		int rcode;
		const char *records;
	} rows[] = {
		{ "host.tail.test", DNSMSG_A, 0, "1 100.64.0.1" },
		{ "HOST.Tail.Test", DNSMSG_A, 0, "1 100.64.0.1" },
		{ "host", DNSMSG_A, 0, "1 100.64.0.1" },
		{ "host.tail.test", DNSMSG_AAAA, 0, "6 tail.test." },
		{ "host", DNSMSG_AAAA, 0, "" },
		{ "host.tail.test", DNSMSG_TXT, 0, "16 6" },
		{ "host.tail.test", DNSMSG_PTR, 0, "6 tail.test." },
		{ "host.tail.test", DNSMSG_NS, DNSMSG_NOTIMP, "" },
		{ "six.tail.test", DNSMSG_A, 0, "6 tail.test." },
		{ "six.tail.test", DNSMSG_AAAA, 0, "28 fd7a:115c:a1e0::2" },
		{ "a.b.six.tail.test", DNSMSG_AAAA, 0, "28 fd7a:115c:a1e0::2" },
		{ "a.host.tail.test", DNSMSG_A, DNSMSG_NXDOMAIN, "6 tail.test." },
		{ "nobody.tail.test", DNSMSG_A, DNSMSG_NXDOMAIN, "6 tail.test." },
		{ "printer.tail.test", DNSMSG_A, 0, "1 192.0.2.7" },
		{ "both.tail.test", DNSMSG_A, 0, "1 192.0.2.8,1 192.0.2.9" },
		{ "alias.tail.test", DNSMSG_A, 0, "5 host.tail.test.,1 100.64.0.1" },
		{ "alias.tail.test", DNSMSG_CNAME, 0, "5 host.tail.test." },
		{ "_x._tcp.tail.test", DNSMSG_SRV, 0, "33 22" },
		{ "alone.example", DNSMSG_A, 0, "1 192.0.2.10" },
		{ "bad.tail.test", DNSMSG_A, DNSMSG_NXDOMAIN, "6 tail.test." },
		{ "x.none.test", DNSMSG_A, DNSMSG_NXDOMAIN, "6 none.test." },
		{ "x.onion", DNSMSG_A, DNSMSG_NXDOMAIN, "" },
		{ "lb._dns-sd._udp.example", DNSMSG_PTR, DNSMSG_NXDOMAIN, "" },
		{ "10-1-1-5-via-7.a.ts.net", DNSMSG_AAAA, 0, "28 fd7a:115c:a1e0:b1a:0:7:a01:105" },
		{ "10-1-1-5-via-7.tail.test", DNSMSG_AAAA, 0, "28 fd7a:115c:a1e0:b1a:0:7:a01:105" },
		{ "10-1-1-5-via-7", DNSMSG_A, 0, "" },
		{ "magicdns.localhost-tailscale-daemon", DNSMSG_A, 0, "1 100.100.100.100" },
		{ "1.0.64.100.in-addr.arpa", DNSMSG_PTR, 0, "12 host.tail.test." },
		{ "1.0.64.100.in-addr.arpa", DNSMSG_A, 0, "6 64.100.in-addr.arpa." },
		{ "9.0.64.100.in-addr.arpa", DNSMSG_PTR, DNSMSG_NXDOMAIN,
			"6 64.100.in-addr.arpa." },
		{ "x.64.100.in-addr.arpa", DNSMSG_PTR, DNSMSG_NXDOMAIN, "6 64.100.in-addr.arpa." },
		{ "7.2.0.192.in-addr.arpa", DNSMSG_PTR, 0, "12 printer.tail.test." },
		{ "100.100.100.100.in-addr.arpa", DNSMSG_PTR, 0,
			"12 magicdns.localhost-tailscale-daemon." },
		{ "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.E.1.a.c.5.1.1.a.7.d.f.ip6.arpa",
			DNSMSG_PTR, 0, "12 six.tail.test." },
		{ "5.0.1.0.1.0.a.0.7.0.0.0.0.0.0.0.a.1.b.0.0.e.1.a.c.5.1.1.a.7.d.f.ip6.arpa",
			DNSMSG_PTR, 0, "12 10-1-1-5-via-7.tail.test." },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s %u", rows[i].name, rows[i].type);
		CHECK_INT(ask(rows[i].name, rows[i].type), ==, rows[i].rcode);
		CHECK_STR(records(), rows[i].records);
		CHECK_INT(w.answer.h.id, ==, 0x1234);
		CHECK_TRUE(!w.answer.opt.at);
	}
	CHECK_INT(w.n_sent, ==, 0);
	CHECK_INT(dns_counters(w.d)->records_ignored, ==, 2);
}

static void questions_that_are_none_of_ours(void **state)
{
	static const uint8_t two[] = { 0, 9, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1,
		0, 1 };
	uint8_t answer[] = { 0, 9, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	const struct dns_client c = { .id = 1 };

	CHECK_TRUE(!dns_ask(w.d, c, view_of(answer, sizeof(answer)), w.now));
	CHECK_TRUE(!dns_ask(w.d, c, view_of(two, 11), w.now));
	CHECK_TRUE(dns_ask(w.d, c, view_of(two, sizeof(two)), w.now));
	take();
	CHECK_INT(w.answer.h.flags & DNSMSG_RCODE, ==, DNSMSG_FORMERR);
	CHECK_INT(w.answer.h.n[DNSMSG_QUESTION], ==, 0);
	CHECK_INT(ask_as(c, "host.tail.test", DNSMSG_A, 3, 0, -1), ==, DNSMSG_REFUSED);
	CHECK_INT(ask_as(c, "host.tail.test", DNSMSG_A, DNSMSG_IN, 5 << 11, -1), ==, DNSMSG_NOTIMP);
	CHECK_INT(ask_as(c, "host.tail.test", DNSMSG_A, DNSMSG_IN, 0, 1232), ==, 0);
	CHECK_TRUE(w.answer.opt.at && w.answer.opt.dnssec_ok);
	CHECK_INT(w.n_sent, ==, 0);
}

static void a_device_without_ipv4_is_told_ipv6_addresses(void **state)
{
	struct dns_config c = {
		.names = w.names, .domain = "tail.test", .magic = true, .v6_only = true
	};

	CHECK_INT(dns_configure(w.d, &c, w.now), ==, 0);
	CHECK_INT(ask("host", DNSMSG_A), ==, 0);
	CHECK_STR(records(), "");
	CHECK_INT(ask("host", DNSMSG_AAAA), ==, 0);
	CHECK_STR(records(), "28 fd7a:115c:a1e0::1");
}

static void peers_do_not_hear_names_of_the_tailnet(void **state)
{
	const struct dns_client peer = { .id = 1, .peer = true, .stream = true };

	CHECK_INT(ask_as(peer, "host.tail.test", DNSMSG_A, DNSMSG_IN, DNSMSG_RD, -1), ==,
		DNSMSG_REFUSED);
	CHECK_INT(ask_as(peer, "x.secret.test", DNSMSG_A, DNSMSG_IN, DNSMSG_RD, -1), ==,
		DNSMSG_REFUSED);
	CHECK_INT(ask_as(peer, "secret.test", DNSMSG_A, DNSMSG_IN, DNSMSG_RD, -1), ==, -1);
	CHECK_INT(w.n_sent, ==, 1);
}

/* ---- Servers ---- */

static void the_longest_suffix_says_who_is_asked(void **state)
{
	static const struct {
		const char *name, *to;
	} rows[] = { { "x.corp.test", "10.1.0.1:53 0" }, { "corp.test", "10.1.0.1:53 0" },
		{ "x.LAB.corp.test", "10.2.0.1:53 0" }, { "xcorp.test", "10.0.0.1:53 0" },
		{ "x.lab.tail.test", "10.2.0.1:53 0" }, { ".", "10.0.0.1:53 0" },
		{ "x.alone.example", "10.0.0.1:53 0" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].name);
		CHECK_INT(ask(rows[i].name, DNSMSG_A), ==, -1);
		CHECK_STR(sent_to(w.n_sent - 1), rows[i].to);
		CHECK_TRUE(reply(w.n_sent - 1, 0));
		CHECK_STR(records(), "1 203.0.0.1");
	}
	CHECK_INT(ask("x.loop.test", DNSMSG_A), ==, DNSMSG_SERVFAIL);
	CHECK_INT(w.n_sent, ==, ARRAY_LEN(rows));
}

static void a_silent_server_costs_little(void **state)
{
	mono_ns t0 = w.now.mono;

	(void)ask("a.example", DNSMSG_A);
	pass(MSEC(210));
	CHECK_INT(w.n_sent, ==, 2);
	CHECK_STR(sent_to(1), "10.0.0.2:53 0");
	pass(MSEC(10));
	CHECK_TRUE(reply(1, 0));
	CHECK_INT(w.n_answers, ==, 1);
	CHECK_INT(w.now.mono - t0, <, MSEC(500));
	pass(SEC(3)); /* it stays silent, and is known for it */
	(void)ask("b.example", DNSMSG_A);
	CHECK_TRUE(w.n_sent >= 3);
	CHECK_STR(sent_to(2), "10.0.0.2:53 0");
	CHECK_TRUE(reply(2, 0));
	CHECK_INT(w.n_answers, ==, 2);
}

static void a_slow_question_holds_up_nobody(void **state)
{
	(void)ask("slow.example", DNSMSG_A);
	(void)ask("fast.example", DNSMSG_A);
	CHECK_TRUE(reply(1, 0));
	CHECK_INT(w.n_answers, ==, 1);
	CHECK_INT(ask("host", DNSMSG_A), ==, 0);
}

static void a_cut_answer_is_fetched_over_tcp(void **state)
{
	const struct dns_client tcp = { .id = 2, .stream = true };

	(void)ask("big.example", DNSMSG_A);
	CHECK_TRUE(reply(0, DNSMSG_TC));
	CHECK_INT(w.n_answers, ==, 0);
	CHECK_STR(sent_to(1), "10.0.0.1:53 1");
	CHECK_TRUE(reply_with(1, 0, 100, 60, false));
	CHECK_INT(w.n_answers, ==, 1);
	CHECK_TRUE(w.answer.h.flags & DNSMSG_TC && !w.answer.h.n[DNSMSG_ANSWER]);
	CHECK_INT(w.answer.bytes.len, <=, DNSMSG_UDP_MAX);
	CHECK_INT(ask_as(tcp, "big.example", DNSMSG_A, DNSMSG_IN, DNSMSG_RD, -1), ==, 0);
	CHECK_INT(w.answer.h.n[DNSMSG_ANSWER], ==, 100);
	CHECK_INT(dns_counters(w.d)->truncated, ==, 1);
}

static void soft_answers_are_never_lost(void **state)
{
	(void)ask("x.corp.test", DNSMSG_A);
	CHECK_TRUE(reply(0, DNSMSG_REFUSED)); /* TCP to the same, and the other server at once */
	CHECK_INT(w.n_sent, ==, 3);
	CHECK_TRUE(reply(1, DNSMSG_REFUSED));
	CHECK_TRUE(reply(2, DNSMSG_SERVFAIL));
	CHECK_INT(w.n_answers, ==, 0);
	pass(SEC(2)); /* TCP to the second hangs: the best of what came is given */
	CHECK_INT(w.n_answers, ==, 1);
	CHECK_INT(w.answer.h.flags & DNSMSG_RCODE, ==, DNSMSG_SERVFAIL);
	w.n_sent = 0;
	(void)ask("y.corp.test", DNSMSG_A);
	CHECK_TRUE(reply(0, DNSMSG_SERVFAIL));
	CHECK_TRUE(reply(w.n_sent - 1, 0));
	CHECK_INT(w.n_answers, ==, 2);
	CHECK_INT(w.answer.h.flags & DNSMSG_RCODE, ==, 0);
}

static void nobody_answers(void **state)
{
	(void)ask("x.lab.corp.test", DNSMSG_A);
	pass(SEC(3));
	CHECK_INT(w.n_sent, ==, 3); /* UDP twice, TCP */
	CHECK_STR(sent_to(2), "10.2.0.1:53 1");
	pass(SEC(8));
	CHECK_INT(w.n_answers, ==, 1);
	CHECK_INT(w.answer.h.flags & DNSMSG_RCODE, ==, DNSMSG_SERVFAIL);
	CHECK_TRUE(dns_failing_since(w.d) != 0);
	pass(SEC(3));
	CHECK_INT(w.n_cancelled, ==, 3);
	CHECK_INT(dns_deadline(w.d), ==, MONO_NEVER);
}

static void a_server_that_asks_us_is_not_asked_any_more(void **state)
{
	const struct dns_client server = { .id = 3, .group = 3 };
	struct dns_upstream_state s;
	struct sent *first = &w.sent[0];

	(void)ask("x.lab.corp.test", DNSMSG_A);
	CHECK_TRUE(dns_ask(w.d, server, view_of(first->msg, first->len), w.now));
	take();
	CHECK_INT(dns_counters(w.d)->loops, ==, 0); /* it might be chance */
	CHECK_TRUE(dns_ask(w.d, server, view_of(first->msg, first->len), w.now));
	take();
	CHECK_INT(dns_counters(w.d)->loops, ==, 1);
	CHECK_INT(w.n_answers, ==, 3);
	CHECK_INT(w.answer.h.flags & DNSMSG_RCODE, ==, DNSMSG_SERVFAIL);
	w.n_sent = 0;
	CHECK_INT(ask("y.lab.corp.test", DNSMSG_A), ==, DNSMSG_SERVFAIL);
	CHECK_INT(w.n_sent, ==, 0);
	for (size_t i = 0; dns_upstream_at(w.d, i, &s) && !s.loop; i++)
		;
	CHECK_TRUE(s.loop);
	CHECK_STR(s.route, "lab.corp.test.");
	dns_network_changed(w.d, w.now);
	CHECK_INT(ask("y.lab.corp.test", DNSMSG_A), ==, -1);
}

static void wrong_replies_are_not_taken(void **state)
{
	uint8_t buf[64];
	size_t len;

	(void)ask("x.lab.corp.test", DNSMSG_A);
	len = w.sent[0].len;
	memcpy(buf, w.sent[0].msg, len);
	CHECK_TRUE(!dns_reply(w.d, w.sent[0].exchange, view_of(buf, len), w.now)); /* no answer */
	buf[2] |= 0x80;
	buf[0] ^= 1;
	CHECK_TRUE(!dns_reply(w.d, w.sent[0].exchange, view_of(buf, len), w.now)); /* id */
	buf[0] ^= 1;
	buf[13] ^= 1;
	CHECK_TRUE(!dns_reply(w.d, w.sent[0].exchange, view_of(buf, len), w.now)); /* question */
	CHECK_TRUE(!dns_reply(w.d, w.sent[0].exchange, view_of(buf, 7), w.now));
	CHECK_INT(w.n_answers, ==, 0);
	CHECK_INT(dns_counters(w.d)->bad_replies, ==, 4);
	CHECK_TRUE(reply(0, 0));
	CHECK_INT(w.n_answers, ==, 1);
	CHECK_TRUE(dns_reply(w.d, w.sent[0].exchange, view_of(buf, len), w.now)); /* over */
}

static void known_providers_are_asked_over_https_first(void **state)
{
	struct dns_upstream google[] = { plain("8.8.8.8"), plain("8.8.4.4") },
			    nextdns = plain("2a07:a8c0::c3:a884");

	configure(google, 2);
	(void)ask("a.example", DNSMSG_A);
	pass(MSEC(440));
	CHECK_INT(w.n_sent, ==, 1);
	CHECK_STR(w.sent[0].to.url, "https://dns.google/dns-query");
	CHECK_INT(w.sent[0].to.n_dial, ==, 4);
	CHECK_INT(load_be16(w.sent[0].msg), ==, 0);
	pass(MSEC(20));
	CHECK_STR(sent_to(1), "8.8.8.8:53 0");
	pass(MSEC(210));
	CHECK_STR(sent_to(2), "8.8.4.4:53 0");
	CHECK_TRUE(reply(0, 0));
	w.n_sent = 0;
	configure(&nextdns, 1);
	(void)ask("a.example", DNSMSG_A);
	pass(SEC(5));
	CHECK_INT(w.n_sent, ==, 1);
	CHECK_STR(w.sent[0].to.url, "https://dns.nextdns.io/c3a884");
	CHECK_INT(w.sent[0].to.dial[0].family, ==, 6);
}

/* ---- Servers that are known by name only ---- */

static const struct dns_upstream by_name = { .transport = DNS_HTTPS,
	.url = "https://DNS.Example/dns-query" };

static void set_base(const char *text)
{
	struct dns_upstream base = plain(text);

	CHECK_INT(dns_set_base(w.d, &base, 1, w.now), ==, 0);
	take();
}

/* The i-th and the next exchange are about where it is; the first is answered, the second has none. */
static void says_where_it_is(size_t i, uint32_t ttl)
{
	CHECK_STR(sent_to(i), "10.9.0.1:53 0");
	CHECK_STR(sent_to(i + 1), "10.9.0.1:53 0");
	CHECK_INT(w.n_sent, ==, i + 2);
	CHECK_TRUE(reply_with(i, 0, 2, ttl, false));
	CHECK_TRUE(reply_with(i + 1, 0, 0, ttl, true));
}

static void the_place_of_a_server_is_asked_of_the_base(void **state)
{
	configure(&by_name, 1);
	set_base("10.9.0.1");
	CHECK_INT(ask("www.test", DNSMSG_A), ==, -1);
	says_where_it_is(0, 100);
	CHECK_INT(w.n_sent, ==, 3);
	CHECK_INT(w.sent[2].to.transport, ==, DNS_HTTPS);
	CHECK_INT(w.sent[2].to.n_dial, ==, 2);
	CHECK_INT(w.sent[2].to.dial[0].b[0], ==, 203);
	CHECK_INT(w.n_answers, ==, 0);
	CHECK_TRUE(reply(2, 0));
	CHECK_INT(w.n_answers, ==, 1);
	/* Known for as long as it said; then it is used, and asked for anew. */
	pass(SEC(99));
	CHECK_INT(ask("b.test", DNSMSG_A), ==, -1);
	CHECK_INT(w.n_sent, ==, 4);
	CHECK_TRUE(reply(3, 0));
	pass(SEC(2));
	CHECK_INT(ask("c.test", DNSMSG_A), ==, -1);
	CHECK_INT(w.n_sent, ==, 7);
	CHECK_INT(w.sent[4].to.transport, ==, DNS_HTTPS);
	CHECK_INT(dns_counters(w.d)->lookups, ==, 2);
	/* Another network: the same name may be somewhere else. */
	dns_network_changed(w.d, w.now);
	take();
	says_where_it_is(7, 100);
	CHECK_INT(w.sent[9].to.transport, ==, DNS_HTTPS);
}

static void a_server_that_is_nowhere_is_an_answer_in_time(void **state)
{
	struct dns_upstream both[] = { by_name, plain("10.0.0.1") };

	/* Alone: what is told of its name ends the question. */
	configure(&by_name, 1);
	set_base("10.9.0.1");
	(void)ask("www.test", DNSMSG_A);
	CHECK_TRUE(reply_with(0, DNSMSG_NXDOMAIN, 0, 60, true));
	CHECK_INT(w.n_answers, ==, 0);
	CHECK_TRUE(reply_with(1, DNSMSG_NXDOMAIN, 0, 60, true));
	CHECK_INT(w.n_answers, ==, 1);
	CHECK_INT(w.answer.h.flags & DNSMSG_RCODE, ==, DNSMSG_SERVFAIL);
	CHECK_INT(ask("www.test", DNSMSG_A), ==, DNSMSG_SERVFAIL); /* it was asked just now */
	CHECK_INT(w.n_sent, ==, 2);
	/* Beside another one, which is asked for it, too: that one costs 200 ms. */
	configure(both, 2);
	w.n_sent = 0;
	(void)ask("www.test", DNSMSG_A);
	CHECK_INT(w.n_sent, ==, 2);
	CHECK_STR(sent_to(0), "10.0.0.1:53 0");
	pass(MSEC(210));
	CHECK_INT(w.n_sent, ==, 3);
	CHECK_TRUE(reply(2, 0));
	CHECK_INT(w.n_answers, ==, 3);
	/* Its own name, asked by a program, does not wait for itself. */
	configure(&by_name, 1);
	w.n_sent = 0;
	(void)ask("dns.example", DNSMSG_A);
	says_where_it_is(0, 100);
	CHECK_INT(w.sent[2].to.transport, ==, DNS_HTTPS);
	/* Nobody is left to be asked. */
	CHECK_INT(dns_set_base(w.d, NULL, 0, w.now), ==, 0);
	configure(&by_name, 1);
	take();
	CHECK_INT(ask("www.test", DNSMSG_A), ==, DNSMSG_SERVFAIL);
}

static void a_device_of_the_tailnet_may_be_a_server(void **state)
{
	struct dns_upstream up = {
		.transport = DNS_TLS, .addr.port = 853, .host = "host.tail.test"
	};

	configure(&up, 1);
	(void)ask("www.test", DNSMSG_A);
	CHECK_INT(w.n_sent, ==, 1);
	CHECK_INT(w.sent[0].to.n_dial, ==, 1);
	CHECK_INT(w.sent[0].to.dial[0].b[0], ==, 100);
}

/* ---- The cache ---- */

static void answers_are_kept_as_long_as_they_say(void **state)
{
	struct dnsmsg_record r;
	size_t index = 0;

	(void)ask("a.example", DNSMSG_A);
	CHECK_TRUE(reply(0, 0));
	pass(SEC(20));
	CHECK_INT(ask("A.Example", DNSMSG_A), ==, 0);
	CHECK_INT(w.answer.q.name.b[1], ==, 'A');
	CHECK_INT(
		dnsmsg_next(w.answer.bytes, &w.answer.h, w.answer.question_end, &index, &r), ==, 0);
	CHECK_INT(r.ttl, ==, 40);
	CHECK_INT(w.n_sent, ==, 1);
	CHECK_INT(ask("a.example", DNSMSG_AAAA), ==, -1);
	CHECK_TRUE(reply_with(1, DNSMSG_NXDOMAIN, 0, 100, true)); /* its SOA says 20 s */
	pass(SEC(19));
	CHECK_INT(ask("a.example", DNSMSG_AAAA), ==, DNSMSG_NXDOMAIN);
	pass(SEC(2));
	CHECK_INT(ask("a.example", DNSMSG_AAAA), ==, -1);
	dns_flush(w.d);
	CHECK_INT(ask("a.example", DNSMSG_A), ==, -1);
}

static void old_answers_are_given_when_nobody_is_there(void **state)
{
	(void)ask("a.example", DNSMSG_A);
	CHECK_TRUE(reply(0, 0));
	pass(SEC(100));
	CHECK_INT(ask("a.example", DNSMSG_A), ==, -1);
	pass(SEC(2));
	CHECK_INT(w.n_answers, ==, 2);
	CHECK_STR(records(), "1 203.0.0.1");
	CHECK_INT(ask("a.example", DNSMSG_A), ==, 0); /* at once */
	CHECK_INT(dns_counters(w.d)->stale, ==, 2);
	dns_network_changed(w.d, w.now);
	take();
	CHECK_INT(ask("a.example", DNSMSG_A), ==, -1);
}

static void same_questions_share_one_exchange(void **state)
{
	(void)ask("a.example", DNSMSG_A);
	(void)ask("a.example", DNSMSG_A);
	CHECK_INT(w.n_sent, ==, 1);
	dns_network_changed(w.d, w.now);
	take();
	CHECK_INT(w.n_sent, ==, 2); /* asked anew, once for both */
	CHECK_TRUE(reply(1, 0));
	CHECK_INT(w.n_answers, ==, 2);
	CHECK_INT(dns_counters(w.d)->joined, >=, 1);
}

static void one_group_cannot_take_all(void **state)
{
	char name[32];
	const struct dns_client other = { .id = 2, .group = 9 };

	for (int i = 0; i < DNS_GROUP_WAITERS_MAX; i++) {
		snprintf(name, sizeof(name), "%d.example", i);
		CHECK_INT(ask(name, DNSMSG_A), ==, -1);
		w.n_sent = 0;
	}
	CHECK_INT(ask("more.example", DNSMSG_A), ==, DNSMSG_SERVFAIL);
	CHECK_INT(dns_counters(w.d)->refused_group, ==, 1);
	CHECK_INT(ask_as(other, "0.example", DNSMSG_A, DNSMSG_IN, DNSMSG_RD, -1), ==, -1);
	dns_forget(w.d, 1);
	CHECK_INT(ask("more.example", DNSMSG_A), ==, -1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(names_of_the_tailnet_are_answered_here),
		T(questions_that_are_none_of_ours),
		T(a_device_without_ipv4_is_told_ipv6_addresses),
		T(peers_do_not_hear_names_of_the_tailnet),
		T(the_longest_suffix_says_who_is_asked),
		T(a_silent_server_costs_little),
		T(a_slow_question_holds_up_nobody),
		T(a_cut_answer_is_fetched_over_tcp),
		T(soft_answers_are_never_lost),
		T(nobody_answers),
		T(a_server_that_asks_us_is_not_asked_any_more),
		T(wrong_replies_are_not_taken),
		T(known_providers_are_asked_over_https_first),
		T(the_place_of_a_server_is_asked_of_the_base),
		T(a_server_that_is_nowhere_is_an_answer_in_time),
		T(a_device_of_the_tailnet_may_be_a_server),
		T(answers_are_kept_as_long_as_they_say),
		T(old_answers_are_given_when_nobody_is_there),
		T(same_questions_share_one_exchange),
		T(one_group_cannot_take_all),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
