/* Until the network can be used: for units and scripts that start after it. */
#include "cli/common/common.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <unistd.h>

enum { FIRST_PAUSE_MS = 20, LAST_PAUSE_MS = 1000 };

static bool on_an_interface(const struct json_list *ips)
{
	struct ifaddrs *list, *i;
	bool found = false;

	if (getifaddrs(&list) != 0)
		return false;
	for (i = list; i && !found; i = i->ifa_next) {
		struct ipaddr ip;

		if (!i->ifa_addr ||
			(i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			ip = ipaddr_from4((const uint8_t *)&(
				(const struct sockaddr_in *)(const void *)i->ifa_addr)
						  ->sin_addr);
		else
			ip = ipaddr_from16((const uint8_t *)&(
				(const struct sockaddr_in6 *)(const void *)i->ifa_addr)
						   ->sin6_addr);
		for (size_t k = 0; k < ips->n; k++)
			found = found || ipaddr_eq(*JSON_AT(*ips, struct ipaddr, k), ip);
	}
	freeifaddrs(list);
	return found;
}

static bool is_ready(struct cli *c)
{
	struct lclient_err err;
	struct ipn_status s;
	struct arena a;
	bool ready;

	arena_init(&a, LCLIENT_ANSWER_MAX);
	ready = lclient_get(&c->api, "status?peers=false", &ipn_status_type, &s, &a, &err) == 0 &&
		strcmp(cli_text_or(s.backend_state, ""), "Running") == 0 && s.tailscale_ips.n &&
		(!s.tun || on_an_interface(&s.tailscale_ips));
	arena_fini(&a);
	return ready;
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	int64_t timeout_ms = flag_n(flags, "timeout") / MSEC(1);
	long long begin = cli_now_ms(), pause = FIRST_PAUSE_MS;

	if (!cli_no_args(c, argc, argv))
		return 1;
	c->api.until_ms = timeout_ms ? begin + timeout_ms
				     : 0; /* a daemon that hangs is not waited for longer */
	while (!is_ready(c)) {
		long long left = timeout_ms ? begin + timeout_ms - cli_now_ms() : pause;

		if (left <= 0)
			return cli_fail(c, "context deadline exceeded");
		usleep((useconds_t)MIN_OF(pause, left) * 1000);
		pause = MIN_OF(2 * pause, LAST_PAUSE_MS);
	}
	return 0;
}

static struct flag flags[] = {
	{ .name = "timeout",
		.kind = FLAG_DURATION,
		.def = "0s",
		.help = "give up after this time; 0 is never" },
	{ .name = NULL },
};

const struct cli_cmd cli_wait = {
	.name = "wait",
	.run = run,
	.usage = "wait [--timeout=D]",
	.help = "Wait until this device is connected and its address can be used",
	.flags = flags,
};
