/* Against the kernel, on a device in a network namespace of the test's own. */
#include "os/ethtool/ethtool.h"
#include "testlib/check.h"
#include "testlib/netns.h"

#include <errno.h>

#define GRO "rx-udp-gro-forwarding"

static bool can;

static void a_feature_is_turned_on_and_off(void **state)
{
	if (!can)
		skip();
	netns_run("ip link add e0 type veth peer name e1");
	CHECK_INT(ethtool_feature("e0", GRO), ==, 0);
	CHECK_INT(ethtool_set_feature("e0", GRO, true), ==, 0);
	CHECK_INT(ethtool_feature("e0", GRO), ==, 1);
	CHECK_INT(ethtool_set_feature("e0", GRO, true), ==, 0);
	CHECK_INT(ethtool_feature("e1", GRO), ==, 0);
	CHECK_INT(ethtool_set_feature("e0", GRO, false), ==, 0);
	CHECK_INT(ethtool_feature("e0", GRO), ==, 0);
}

static void what_cannot_be_is_said(void **state)
{
	if (!can)
		skip();
	CHECK_INT(ethtool_feature("nobody0", GRO), ==, -ENODEV);
	CHECK_INT(ethtool_feature("a-name-that-is-longer-than-any", GRO), ==, -ENODEV);
	CHECK_INT(ethtool_feature("lo", "no-such-feature"), ==, -ENOENT);
	CHECK_INT(ethtool_set_feature("lo", "no-such-feature", true), ==, -ENOENT);
	CHECK_INT(ethtool_feature("lo", "loopback"), ==, 1);
	CHECK_INT(ethtool_set_feature("lo", "loopback", false), ==, -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_feature_is_turned_on_and_off),
		cmocka_unit_test(what_cannot_be_is_said),
	};

	can = netns_enter();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
