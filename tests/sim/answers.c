#include "tests/sim/answers.h"
#include "core/dns/dns.h"
#include "proto/dnsmsg/dnsmsg.h"

struct sim_answers {
	struct rng_seeded rng;
	struct dns *d;
	struct now now;
	char text[IPPORT_TEXT_MAX + 8];
};

struct sim_answers *sim_answers_new(const struct sim_node *n)
{
	struct sim_answers *a = calloc(1, sizeof(*a));

	CHECK(a);
	a->now = sim_node_now(n);
	rng_seeded_init(&a->rng, 1);
	CHECK(dns_new(&a->d, &a->rng.rng) == 0);
	CHECK(dns_configure(a->d, node_dns_config(sim_node_agent(n)), a->now) == 0);
	return a;
}

struct sim_answers *sim_answers_free(struct sim_answers *a)
{
	if (a)
		dns_free(a->d);
	free(a);
	return NULL;
}

static void take_answer(struct sim_answers *a, struct view msg)
{
	struct dnsmsg_record r;
	size_t index = 0;
	struct dnsmsg m;

	CHECK(dnsmsg_read(msg, &m) == 0);
	if (dnsmsg_next(m.bytes, &m.h, m.question_end, &index, &r) == 0 && r.type == DNSMSG_A)
		ipaddr_format(ipaddr_from4(msg.p + r.rdata_at), a->text);
}

const char *sim_answers_to(struct sim_answers *a, const char *name)
{
	struct dnsmsg_question q = { .type = DNSMSG_A, .class = DNSMSG_IN };
	uint8_t buf[DNSMSG_HEADER + DNSMSG_NAME_MAX + 4];
	struct wcur w = wcur_over(buf, sizeof(buf));
	struct dns_out o;

	a->text[0] = 0;
	CHECK(dnsmsg_name_parse(name, strlen(name), &q.name) == 0);
	dnsmsg_put_header(&w, 1, DNSMSG_RD);
	dnsmsg_put_question(&w, &q);
	CHECK(dns_ask(a->d, (struct dns_client){ .id = 1 }, view_of(buf, wcur_len(&w)), a->now));
	while (dns_next(a->d, &o)) {
		if (o.kind == DNS_SEND)
			ipport_format(o.to->addr, a->text);
		else if (o.kind == DNS_ANSWER)
			take_answer(a, o.msg);
	}
	return a->text;
}
