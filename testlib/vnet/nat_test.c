/* The NAT models do what RFC 4787 says that their kind does. */
#include "testlib/vnet/nat.h"
#include "testlib/check.h"

static struct rng_seeded rng;
static struct ipaddr wan;
static struct ipport in, in2, far, far_port, other; /* far_port: another port of far */
static const mono_ns t0 = SEC(1000);

static struct ipport at(const char *text)
{
	struct ipport p;

	CHECK_INT(ipport_parse(text, strlen(text), &p), ==, 0);
	return p;
}

static int setup(void **state)
{
	(void)state;
	rng_seeded_init(&rng, 7);
	wan = ipaddr_v4(198, 51, 100, 21);
	in = at("192.168.1.2:41641");
	in2 = at("192.168.1.3:41641");
	far = at("203.0.113.5:1000");
	far_port = at("203.0.113.5:2000");
	other = at("203.0.113.9:1000");
	return 0;
}

static struct vnat *make(const struct vnat_kind *k)
{
	return vnat_new(k, &rng.rng);
}

static struct ipport out(struct vnat *n, struct ipport from, struct ipport to, mono_ns now)
{
	struct ipport ret;

	CHECK_INT(vnat_out(n, VNAT_UDP, from, to, wan, now, &ret), ==, 0);
	vnat_check(n, now);
	return ret;
}

static bool gets_in(
	struct vnat *n, struct ipport from, struct ipport to, struct ipport inside, mono_ns now)
{
	struct ipport ret;
	int rc = vnat_in(n, VNAT_UDP, from, to, now, &ret);

	vnat_check(n, now);
	if (rc == 0)
		CHECK_TRUE(ipport_eq(ret, inside));
	return rc == 0;
}

static void cones_use_one_mapping_for_all_remotes(void **state)
{
	static const struct vnat_kind *const kinds[] = { &vnat_full_cone, &vnat_restricted,
		&vnat_easy };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct vnat *n = make(kinds[i]);
		struct ipport a;

		CHECK_ROW("%s", kinds[i]->name);
		a = out(n, in, far, t0);
		CHECK_TRUE(ipaddr_eq(a.ip, wan));
		CHECK_INT(a.port, ==, in.port); /* preserved */
		CHECK_TRUE(ipport_eq(a, out(n, in, far_port, t0)));
		CHECK_TRUE(ipport_eq(a, out(n, in, other, t0)));
		CHECK_INT(vnat_mappings(n, t0), ==, 1);
		vnat_free(n);
	}
}

static void hard_nat_uses_a_new_port_for_each_remote(void **state)
{
	struct vnat *n = make(&vnat_hard);
	struct ipport a = out(n, in, far, t0), b = out(n, in, far_port, t0),
		      c = out(n, in, other, t0);

	(void)state;
	CHECK_INT(a.port, !=, b.port);
	CHECK_INT(a.port, !=, c.port);
	CHECK_INT(b.port, !=, c.port);
	CHECK_TRUE(ipport_eq(a, out(n, in, far, t0 + SEC(10))));
	CHECK_TRUE(!gets_in(n, other, a, in, t0 + SEC(10))); /* the mapping is for far alone */
	CHECK_TRUE(gets_in(n, far, a, in, t0 + SEC(10)));
	vnat_free(n);
}

static void filtering_depends_on_what_the_kind_says(void **state)
{
	static const struct {
		const struct vnat_kind *kind;
		bool same, same_address, anyone;
	} rows[] = {
		{ &vnat_full_cone, true, true, true },
		{ &vnat_restricted, true, true, false },
		{ &vnat_easy, true, false, false },
		{ &vnat_hard, true, false, false },
		{ &vnat_linux_open, true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vnat *n = make(rows[i].kind);
		struct ipport ext = out(n, in, far, t0);

		CHECK_ROW("%s", rows[i].kind->name);
		CHECK_INT(gets_in(n, far, ext, in, t0), ==, rows[i].same);
		CHECK_INT(gets_in(n, far_port, ext, in, t0), ==, rows[i].same_address);
		CHECK_INT(gets_in(n, other, ext, in, t0), ==, rows[i].anyone);
		vnat_free(n);
	}
}

static void two_hosts_with_one_port_get_two_ports(void **state)
{
	struct vnat *n = make(&vnat_easy);
	struct ipport a = out(n, in, far, t0), b = out(n, in2, far, t0);

	(void)state;
	CHECK_INT(a.port, ==, in.port);
	CHECK_INT(b.port, ==, in.port + 1);
	CHECK_TRUE(gets_in(n, far, a, in, t0));
	CHECK_TRUE(gets_in(n, far, b, in2, t0));
	vnat_free(n);
}

static void protocols_do_not_share_mappings(void **state)
{
	struct vnat *n = make(&vnat_easy);
	struct ipport a, ret;

	(void)state;
	CHECK_INT(vnat_out(n, VNAT_TCP, in, far, wan, t0, &a), ==, 0);
	CHECK_INT(vnat_in(n, VNAT_UDP, far, a, t0, &ret), ==, VNAT_DROP);
	CHECK_INT(vnat_in(n, VNAT_TCP, far, a, t0, &ret), ==, 0);
	vnat_free(n);
}

static void a_mapping_ends_when_nothing_has_passed(void **state)
{
	struct vnat *n = make(&vnat_easy);
	struct ipport ext = out(n, in, far, t0);

	(void)state;
	CHECK_TRUE(gets_in(n, far, ext, in, t0 + SEC(29)));
	CHECK_TRUE(gets_in(n, far, ext, in, t0 + SEC(58))); /* inbound packets refresh here */
	CHECK_TRUE(!gets_in(n, far, ext, in, t0 + SEC(88)));
	CHECK_INT(vnat_mappings(n, t0 + SEC(88)), ==, 0);
	vnat_free(n);
}

static void inbound_packets_do_not_refresh_where_the_kind_says_so(void **state)
{
	struct vnat_kind k = vnat_easy;
	struct vnat *n;
	struct ipport ext;

	(void)state;
	k.inbound_refreshes = false;
	n = make(&k);
	ext = out(n, in, far, t0);
	CHECK_TRUE(gets_in(n, far, ext, in, t0 + SEC(29)));
	CHECK_TRUE(!gets_in(n, far, ext, in, t0 + SEC(31)));
	vnat_free(n);
}

static void one_flow_may_end_while_its_mapping_lives(void **state)
{
	struct vnat *n = make(&vnat_easy);
	struct ipport ext = out(n, in, far, t0);

	(void)state;
	CHECK_TRUE(ipport_eq(ext, out(n, in, other, t0 + SEC(20))));
	CHECK_TRUE(!gets_in(n, far, ext, in, t0 + SEC(31)));
	CHECK_TRUE(gets_in(n, other, ext, in, t0 + SEC(31)));
	vnat_free(n);
}

static void a_reboot_forgets_and_a_hard_nat_maps_anew(void **state)
{
	struct vnat *n = make(&vnat_hard);
	struct ipport ext = out(n, in, far, t0);

	(void)state;
	vnat_forget(n);
	CHECK_TRUE(!gets_in(n, far, ext, in, t0));
	CHECK_INT(out(n, in, far, t0).port, !=, ext.port);
	vnat_free(n);
}

static void a_new_outside_address_makes_new_mappings(void **state)
{
	struct vnat *n = make(&vnat_easy);
	struct ipport ext = out(n, in, far, t0), now_ext;

	(void)state;
	wan = ipaddr_v4(198, 51, 100, 99);
	now_ext = out(n, in, far, t0);
	CHECK_TRUE(!ipport_eq(ext, now_ext));
	CHECK_TRUE(gets_in(n, far, now_ext, in, t0));
	vnat_free(n);
}

static void firewall_lets_answers_in_and_changes_nothing(void **state)
{
	struct vnat *n = make(&vnat_firewall);
	struct ipport a = at("[2001:db8:21::2]:41641"), b = at("[2001:db8:22::2]:41641"),
		      c = at("[2001:db8:22::2]:1"), ret;

	(void)state;
	CHECK_TRUE(!gets_in(n, b, a, a, t0));
	CHECK_INT(vnat_out(n, VNAT_UDP, a, b, a.ip, t0, &ret), ==, 0);
	CHECK_TRUE(ipport_eq(ret, a));
	CHECK_TRUE(gets_in(n, b, a, a, t0));
	CHECK_TRUE(!gets_in(n, c, a, a, t0));
	vnat_free(n);
}

static void plain_masquerade_moves_a_mapping_after_an_early_ping(void **state)
{
	struct vnat *n = make(&vnat_linux_open), *guarded = make(&vnat_easy);
	struct ipport seen = out(n, in, other, t0), ext = { .ip = wan, .port = in.port };

	(void)state;
	CHECK_TRUE(ipport_eq(seen, ext)); /* what a STUN server told */
	CHECK_TRUE(!gets_in(n, far, ext, in, t0));
	CHECK_INT(out(n, in, far, t0).port, !=, in.port);
	CHECK_TRUE(!gets_in(guarded, far, ext, in, t0));
	CHECK_INT(out(guarded, in, far, t0).port, ==, in.port);
	vnat_free(n);
	vnat_free(guarded);
}

static void sequential_ports_follow_each_other(void **state)
{
	struct vnat_kind k = vnat_hard;
	struct vnat *n;
	uint16_t first;

	(void)state;
	k.ports = VNAT_SEQUENTIAL;
	n = make(&k);
	first = out(n, in, far, t0).port;
	CHECK_INT(out(n, in, other, t0).port, ==, first + 1);
	vnat_free(n);
}

static void a_full_table_refuses_new_flows_and_keeps_the_old(void **state)
{
	struct vnat *n = make(&vnat_hard);
	struct ipport first = out(n, in, far, t0), to = other, ret;

	(void)state;
	for (uint16_t i = 1; i < VNAT_MAPPINGS_MAX; i++) {
		to.port = i;
		CHECK_INT(vnat_out(n, VNAT_UDP, in, to, wan, t0, &ret), ==, 0);
	}
	to.port = VNAT_MAPPINGS_MAX;
	CHECK_INT(vnat_out(n, VNAT_UDP, in, to, wan, t0, &ret), ==, VNAT_DROP);
	CHECK_TRUE(gets_in(n, far, first, in, t0));
	vnat_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(cones_use_one_mapping_for_all_remotes, setup),
		cmocka_unit_test_setup(hard_nat_uses_a_new_port_for_each_remote, setup),
		cmocka_unit_test_setup(filtering_depends_on_what_the_kind_says, setup),
		cmocka_unit_test_setup(two_hosts_with_one_port_get_two_ports, setup),
		cmocka_unit_test_setup(protocols_do_not_share_mappings, setup),
		cmocka_unit_test_setup(a_mapping_ends_when_nothing_has_passed, setup),
		cmocka_unit_test_setup(
			inbound_packets_do_not_refresh_where_the_kind_says_so, setup),
		cmocka_unit_test_setup(one_flow_may_end_while_its_mapping_lives, setup),
		cmocka_unit_test_setup(a_reboot_forgets_and_a_hard_nat_maps_anew, setup),
		cmocka_unit_test_setup(a_new_outside_address_makes_new_mappings, setup),
		cmocka_unit_test_setup(firewall_lets_answers_in_and_changes_nothing, setup),
		cmocka_unit_test_setup(plain_masquerade_moves_a_mapping_after_an_early_ping, setup),
		cmocka_unit_test_setup(sequential_ports_follow_each_other, setup),
		cmocka_unit_test_setup(a_full_table_refuses_new_flows_and_keeps_the_old, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("nat", tests, NULL, NULL);
}
