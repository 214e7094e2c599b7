#include "base/rng/rng.h"
#include "core/dns/names/names.h"
#include "testlib/check.h"
#include "testlib/memory.h"

#include <errno.h>

static struct rng_seeded rng;

static struct dns_host host(const char *name, const char *a, const char *b)
{
	struct dns_host h = { 0 };
	const char *v[] = { a, b };

	CHECK_INT(dnsmsg_name_parse(name, strlen(name), &h.name), ==, 0);
	for (int i = 0; i < 2; i++)
		if (v[i])
			CHECK_INT(ipaddr_parse(v[i], strlen(v[i]), &h.addrs[h.n_addrs++]), ==, 0);
	return h;
}

static struct dns_names *table(void)
{
	struct dns_names *t;

	rng_seeded_init(&rng, 1);
	CHECK_INT(dns_names_new(&t, &rng.rng), ==, 0);
	return t;
}

static bool is(const struct dns_names *t, const char *name, const char *addr)
{
	struct dns_host want = host(name, addr, NULL);
	const struct dns_known *h = dns_names_find(t, &want.name);

	return h && ipaddr_eq(h->addrs[0], want.addrs[0]) &&
	       dns_names_by_address(t, want.addrs[0]) == h;
}

static void a_device_is_found_by_name_and_by_each_address(void **state)
{
	struct dns_names *t = table();
	struct dns_host h = host("a.x", "100.64.0.1", "fd7a:115c:a1e0::1");

	CHECK_INT(dns_names_set(t, 1, &h), ==, 0);
	CHECK_INT(dns_names_set(t, 1, &h), ==, 1);
	CHECK_TRUE(is(t, "a.x", "100.64.0.1"));
	CHECK_TRUE(dns_names_by_address(t, h.addrs[1]));
	h = host("b.x", "100.64.0.2", NULL);
	CHECK_INT(dns_names_set(t, 1, &h), ==, 0);
	CHECK_TRUE(!is(t, "a.x", "100.64.0.1"));
	CHECK_TRUE(is(t, "b.x", "100.64.0.2"));
	CHECK_INT(dns_names_count(t), ==, 1);
	dns_names_remove(t, 1);
	dns_names_remove(t, 1);
	CHECK_INT(dns_names_count(t), ==, 0);
	CHECK_TRUE(!dns_names_find(t, &h.name));
	dns_names_free(t);
}

static void two_devices_change_names_with_each_other(void **state)
{
	struct dns_names *t = table();
	struct dns_host a = host("a.x", "100.64.0.1", NULL), b = host("b.x", "100.64.0.2", NULL),
			a2 = host("b.x", "100.64.0.1", NULL), b2 = host("a.x", "100.64.0.2", NULL);

	CHECK_INT(dns_names_set(t, 1, &a) | dns_names_set(t, 2, &b), ==, 0);
	CHECK_INT(dns_names_set(t, 1, &a2), ==, 0);
	CHECK_TRUE(is(t, "b.x", "100.64.0.2"));
	CHECK_INT(dns_names_set(t, 2, &b2), ==, 0);
	CHECK_TRUE(is(t, "b.x", "100.64.0.1") && is(t, "a.x", "100.64.0.2"));
	dns_names_free(t);
}

static void who_waits_for_a_name_gets_it_when_it_is_free(void **state)
{
	struct dns_names *t = table();
	struct dns_host a = host("a.x", "100.64.0.1", NULL), b = host("a.x", "100.64.0.2", NULL);
	struct dnsmsg_name x = host("x", NULL, NULL).name, y = host("y", NULL, NULL).name;

	CHECK_INT(dns_names_set(t, 1, &a) | dns_names_set(t, 2, &b), ==, 0);
	CHECK_TRUE(is(t, "a.x", "100.64.0.1"));
	CHECK_INT(dns_names_outside(t, &x), ==, 0);
	CHECK_INT(dns_names_outside(t, &y), ==, 2);
	dns_names_remove(t, 1);
	CHECK_TRUE(is(t, "a.x", "100.64.0.2"));
	dns_names_free(t);
}

static void without_memory_nothing_is_half_there(void **state)
{
	bool more = true;

	for (size_t n = 1; more; n++) {
		struct dns_names *t = table();
		struct dns_host a = host("a.x", "100.64.0.1", "fd7a:115c:a1e0::1");
		int rc;

		memory_refuse(n);
		rc = dns_names_set(t, 1, &a);
		more = memory_allow();
		CHECK_TRUE(rc == 0 || (more && rc == -ENOMEM && !dns_names_count(t)));
		CHECK_TRUE(dns_names_set(t, 1, &a) >= 0 && is(t, "a.x", "100.64.0.1"));
		dns_names_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_is_found_by_name_and_by_each_address),
		cmocka_unit_test(two_devices_change_names_with_each_other),
		cmocka_unit_test(who_waits_for_a_name_gets_it_when_it_is_free),
		cmocka_unit_test(without_memory_nothing_is_half_there),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
