/* Who is asked for a name: the engine against a plain reading of the rule, over many configurations. */
#include "core/dns/dns.h"
#include "testlib/check.h"

#include <string.h>

enum { ROUNDS = 400, NAMES = 50, ROUTES_MAX = 12, LABELS_MAX = 5, TEXT = 64 };

static struct rng_seeded rng;

/* Few labels, so that names and suffixes meet; some differ in case or by a letter in front only. */
static void make_name(char *out, size_t labels)
{
	static const char *const words[] = { "a", "b", "A", "xa", "corp", "test" };

	out[0] = 0;
	for (size_t i = 0; i < labels; i++) {
		strcat(out, i ? "." : "");
		strcat(out, words[rng_below(&rng.rng, ARRAY_LEN(words))]);
	}
}

/* Is the name the suffix, or does it end in a dot and the suffix? */
static bool plain_matches(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	if (n < s)
		return false;
	return !strcasecmp(name + n - s, suffix) && (n == s || name[n - s - 1] == '.');
}

/* The longest; of two that are the same the first. -1: none. */
static int plain_route(const char *name, char suffixes[][TEXT], size_t n)
{
	int best = -1;

	for (size_t i = 0; i < n; i++)
		if (plain_matches(name, suffixes[i]) &&
			(best < 0 || strlen(suffixes[i]) > strlen(suffixes[best])))
			best = (int)i;
	return best;
}

static void ask_one(struct dns *d, char suffixes[][TEXT], const struct dns_route *routes, size_t n)
{
	const struct dns_upstream *up[DNS_UPSTREAMS_MAX];
	char name[TEXT];
	size_t n_up;
	int want;

	make_name(name, 1 + rng_below(&rng.rng, LABELS_MAX));
	want = plain_route(name, suffixes, n);
	n_up = dns_upstreams_for(d, name, up, ARRAY_LEN(up));
	CHECK_ROW("%s, route %s", name, want < 0 ? "none" : suffixes[want]);
	if (want >= 0 && !routes[want].n_up) {
		CHECK_INT(n_up, ==, 0);
		return;
	}
	CHECK_INT(n_up, ==, 1);
	CHECK_INT(up[0]->addr.ip.b[3], ==, want < 0 ? 200 : want);
}

static void the_longest_suffix_is_asked_and_nobody_else(void **state)
{
	const struct now now = { .mono = SEC(1), .wall = 1 };
	struct dns *d;

	rng_seeded_init(&rng, 11);
	CHECK_INT(dns_new(&d, &rng.rng), ==, 0);
	for (int round = 0; round < ROUNDS; round++) {
		static char suffixes[ROUTES_MAX][TEXT];
		struct dns_upstream up[ROUTES_MAX],
			other = { .addr = { ipaddr_v4(10, 0, 0, 200), 53 } };
		struct dns_route routes[ROUTES_MAX];
		size_t n = rng_below(&rng.rng, ROUTES_MAX + 1);
		struct dns_config c = {
			.routes = routes, .n_routes = n, .defaults = &other, .n_defaults = 1
		};

		for (size_t i = 0; i < n; i++) {
			make_name(suffixes[i], 1 + rng_below(&rng.rng, 3));
			up[i] = (struct dns_upstream){ .addr = { ipaddr_v4(10, 0, 0, (uint8_t)i),
							       53 } };
			routes[i] = (struct dns_route){ suffixes[i], &up[i],
				rng_below(&rng.rng, 4) != 0 };
		}
		CHECK_INT(dns_configure(d, &c, now), ==, 0);
		for (int i = 0; i < NAMES; i++)
			ask_one(d, suffixes, routes, n);
	}
	dns_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_suffix_is_asked_and_nobody_else),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
