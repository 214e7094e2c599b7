/*
 * How long an answer takes: a device of 1,000, a kept answer of a server, and a question that is forwarded and comes back.
 * The network has to be the limit, not this: 20,000 questions a second are 50,000 ns each.
 */
#include "core/dns/dns.h"
#include "core/dns/names/names.h"
#include "testlib/stopwatch.h"

enum { QUESTIONS = 20000, ROUNDS = 11, DEVICES = 1000 };

static const struct now now = { .mono = SEC(100), .wall = 1000 };
static struct rng_seeded rng;

static double now_ns(void)
{
	return stopwatch() * 1e9;
}

static size_t question(uint8_t *out, const char *fmt, int i)
{
	struct dnsmsg_question q = { .type = DNSMSG_A, .class = DNSMSG_IN };
	struct wcur w = wcur_over(out, 512);
	char text[64];

	snprintf(text, sizeof(text), fmt, i);
	CHECK(dnsmsg_name_parse(text, strlen(text), &q.name) == 0);
	dnsmsg_put_header(&w, (uint16_t)i, DNSMSG_RD);
	dnsmsg_put_question(&w, &q);
	return wcur_len(&w);
}

static void reply(struct dns *d, const struct dns_out *o)
{
	uint8_t r[600];
	struct wcur w = wcur_over(r, sizeof(r));

	wcur_copy(&w, o->msg.p, o->msg.len);
	r[2] |= 0x80;
	dnsmsg_put_address(&w, NULL, ipaddr_v4(192, 0, 2, 1), 300);
	CHECK(dns_reply(d, o->exchange, view_of(r, wcur_len(&w)), now));
}

static double ask_all(struct dns *d, const char *fmt, int modulo)
{
	double t = now_ns();
	size_t answers = 0;
	struct dns_out o;
	uint8_t q[512];

	for (int i = 0; i < QUESTIONS; i++) {
		size_t len = question(q, fmt, i % modulo);

		CHECK(dns_ask(d, (struct dns_client){ .id = (uint64_t)i }, view_of(q, len), now));
		while (dns_next(d, &o)) {
			answers += o.kind == DNS_ANSWER;
			if (o.kind == DNS_SEND)
				reply(d, &o);
		}
	}
	CHECK(answers == QUESTIONS);
	return (now_ns() - t) / QUESTIONS;
}

static double least(double best, double t)
{
	return best == 0 || t < best ? t : best;
}

int main(void)
{
	const struct dns_upstream up = { .addr = { ipaddr_v4(10, 0, 0, 1), 53 } };
	struct dns_config c = {
		.domain = "tail.test", .magic = true, .defaults = &up, .n_defaults = 1
	};
	double local = 0, kept = 0, forwarded = 0;
	struct dns_names *names;
	struct dns *d;

	rng_seeded_init(&rng, 1);
	CHECK(dns_new(&d, &rng.rng) == 0 && dns_names_new(&names, &rng.rng) == 0);
	for (int i = 0; i < DEVICES; i++) {
		struct dns_host h = {
			.addrs = { ipaddr_v4(100, 64, (uint8_t)(i >> 8), (uint8_t)i) }, .n_addrs = 1
		};
		char text[64];

		snprintf(text, sizeof(text), "device-%d.tail.test", i);
		CHECK(dnsmsg_name_parse(text, strlen(text), &h.name) == 0 &&
			dns_names_set(names, i, &h) == 0);
	}
	c.names = names;
	CHECK(dns_configure(d, &c, now) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		local = least(local, ask_all(d, "device-%d.tail.test", DEVICES));
		dns_flush(d);
		forwarded = least(forwarded, ask_all(d, "x%d.example", QUESTIONS));
		dns_flush(d);
		(void)ask_all(d, "y%d.example", DEVICES);
		kept = least(kept, ask_all(d, "y%d.example", DEVICES));
	}
	printf("dns: device of %d %.0f ns, kept answer %.0f ns, forwarded %.0f ns a question\n",
		DEVICES, local, kept, forwarded);
	dns_free(d);
	dns_names_free(names);
	return 0;
}
