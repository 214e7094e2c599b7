/* The nth allocation is refused: nothing crashes or leaks, and afterwards all is as it should be. */
#include "core/dns/internal.h"
#include "testlib/check.h"
#include "testlib/memory.h"

static struct rng_seeded rng;
static struct dns_names *names;
static const struct now now = { .mono = SEC(100), .wall = 1000 };

static size_t ask(struct dns *d, const char *name, uint8_t *answer)
{
	uint8_t q[300];
	struct wcur w = wcur_over(q, sizeof(q));
	struct dnsmsg_question question = { .type = DNSMSG_A, .class = DNSMSG_IN };
	struct dns_out o;
	size_t n = 0;

	CHECK_INT(dnsmsg_name_parse(name, strlen(name), &question.name), ==, 0);
	dnsmsg_put_header(&w, 7, DNSMSG_RD);
	dnsmsg_put_question(&w, &question);
	CHECK_TRUE(dns_ask(d, (struct dns_client){ .id = 1 }, view_of(q, wcur_len(&w)), now));
	while (dns_next(d, &o)) {
		if (o.kind == DNS_ANSWER) {
			n = o.msg.len;
			memcpy(answer, o.msg.p, n);
		} else if (o.kind == DNS_SEND) {
			uint8_t r[300];

			memcpy(r, o.msg.p, o.msg.len);
			r[2] |= 0x80;
			(void)dns_reply(d, o.exchange, view_of(r, o.msg.len), now);
		}
	}
	return n;
}

/* Everything once. Negative: something could not be done. */
static int story(struct dns *d)
{
	struct dns_upstream up[] = { { .addr = { ipaddr_v4(10, 0, 0, 1), 53 } },
		{ .addr = { ipaddr_v4(9, 9, 9, 9), 53 } } };
	const struct dns_upstream by_name = {
		.transport = DNS_TLS, .addr.port = 853, .host = "dns.example"
	};
	const struct dns_route routes[] = { { "corp.test", up, 2 }, { "named.test", &by_name, 1 } };
	const struct dns_record record = { "x.tail.test", "TXT", "text" };
	const struct dns_config c = { .names = names,
		.domain = "tail.test",
		.magic = true,
		.records = &record,
		.n_records = 1,
		.routes = routes,
		.n_routes = 2 };
	uint8_t answer[512];
	int rc = dns_configure(d, &c, now);

	if (rc == 0)
		rc = dns_set_base(d, up, 2, now);
	(void)ask(d, "a.tail.test", answer);
	(void)ask(d, "a.corp.test", answer);
	(void)ask(d, "a.example", answer);
	(void)ask(d, "a.named.test", answer);
	dns_network_changed(d, now);
	return rc;
}

static void short_of_memory_it_goes_on_when_there_is_some(void **state)
{
	bool more = true;
	uint8_t answer[512];

	rng_seeded_init(&rng, 1);
	CHECK_INT(dns_names_new(&names, &rng.rng), ==, 0);
	for (size_t n = 1; more; n++) {
		struct dns *d = NULL;
		int rc;

		CHECK_ROW("allocation %zu", n);
		memory_refuse(n);
		rc = dns_new(&d, &rng.rng);
		rc = rc < 0 ? rc : story(d);
		more = memory_allow();
		CHECK_TRUE(rc == 0 || (more && rc == -ENOMEM));
		if (d) {
			CHECK_INT(story(d), ==, 0);
			CHECK_TRUE(ask(d, "b.example", answer) > 0);
			CHECK_INT(answer[3] & DNSMSG_RCODE, ==, 0);
		}
		dns_free(d);
	}
	dns_names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_it_goes_on_when_there_is_some),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
