/* Who is asked for a name: the engine against a plain reading of the rule, over many configurations. */
#include "core/dns/dns.h"
#include "core/dns/names/names.h"
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

/* ---- Names of the tailnet beside split routes ---- */

enum { HOSTS_MAX = 3, OTHERS_MAX = 6 };

/* A tailnet as the test reads it. */
struct world {
	char domain[TEXT], hosts[HOSTS_MAX][TEXT]; /* in full */
	bool wildcard[HOSTS_MAX];
	size_t n_hosts, n_routes;
	char suffixes[OTHERS_MAX][TEXT];
};

static void make_world(struct world *w)
{
	char label[TEXT];

	*w = (struct world){ .n_hosts = 1 + rng_below(&rng.rng, HOSTS_MAX),
		.n_routes = rng_below(&rng.rng, OTHERS_MAX + 1) };
	make_name(w->domain, 1 + rng_below(&rng.rng, 2));
	for (size_t i = 0; i < w->n_hosts; i++) {
		make_name(label, 1);
		snprintf(w->hosts[i], TEXT, "%.20s.%.40s", label, w->domain);
		w->wildcard[i] = rng_below(&rng.rng, 2);
	}
	for (size_t i = 0; i < w->n_routes; i++)
		make_name(w->suffixes[i], 1 + rng_below(&rng.rng, 4));
}

static void install(struct dns *d, struct dns_names *names, const struct world *w)
{
	const struct now now = { .mono = SEC(1), .wall = 1 };
	struct dns_upstream up[OTHERS_MAX], other = { .addr = { ipaddr_v4(10, 0, 0, 200), 53 } };
	struct dns_route routes[OTHERS_MAX];
	struct dns_config c = { .names = names,
		.domain = w->domain,
		.magic = true,
		.routes = routes,
		.n_routes = w->n_routes,
		.defaults = &other,
		.n_defaults = 1 };

	dns_names_clear(names);
	for (size_t i = 0; i < w->n_hosts; i++) {
		struct dns_host h = { .addrs = { ipaddr_v4(100, 64, 0, (uint8_t)i) },
			.n_addrs = 1,
			.wildcard = w->wildcard[i] };

		CHECK_INT(dnsmsg_name_parse(w->hosts[i], strlen(w->hosts[i]), &h.name), ==, 0);
		dnsmsg_name_lower(&h.name);
		CHECK_INT(dns_names_set(names, (int64_t)i, &h), >=, 0);
	}
	for (size_t i = 0; i < w->n_routes; i++) {
		up[i] = (struct dns_upstream){ .addr = { ipaddr_v4(10, 0, 0, (uint8_t)i), 53 } };
		routes[i] = (struct dns_route){ w->suffixes[i], &up[i], 1 };
	}
	CHECK_INT(dns_configure(d, &c, now), ==, 0);
}

/* The device of that name, in full or by its first label; of two the first. Then the nearest that answers for what is below it. -1: none. */
static int plain_host(const struct world *w, const char *name)
{
	int best = -1;

	for (size_t i = 0; i < w->n_hosts; i++) {
		size_t label = strcspn(w->hosts[i], ".");

		if (!strcasecmp(name, w->hosts[i]) ||
			(strlen(name) == label && !strncasecmp(name, w->hosts[i], label)))
			return (int)i;
	}
	for (size_t i = 0; i < w->n_hosts && best < 0; i++) {
		bool first = true;

		for (size_t k = 0; k < i; k++)
			first &= strcasecmp(w->hosts[k], w->hosts[i]) != 0;
		if (first && w->wildcard[i] && plain_matches(name, w->hosts[i]))
			best = (int)i;
	}
	return best;
}

/* What comes of it: "100.64.0.N" of a device, "10.0.0.N" that is asked, or that it does not exist. */
static void plain_answer(const struct world *w, const char *name, char *out)
{
	int host = plain_host(w, name),
	    route = plain_route(name, (char(*)[TEXT])(uintptr_t)w->suffixes, w->n_routes);

	if (host >= 0)
		snprintf(out, TEXT, "100.64.0.%d", host);
	else if (plain_matches(name, w->domain) &&
		 (route < 0 || strlen(w->suffixes[route]) <= strlen(w->domain)))
		snprintf(out, TEXT, "does not exist");
	else
		snprintf(out, TEXT, "10.0.0.%d", route < 0 ? 200 : route);
}

static void our_answer(struct dns *d, const char *name, char *out)
{
	const struct now now = { .mono = SEC(1), .wall = 1 };
	struct dnsmsg_question q = { .type = DNSMSG_A, .class = DNSMSG_IN };
	uint8_t buf[512];
	struct wcur c = wcur_over(buf, sizeof(buf));
	struct dnsmsg_record r;
	struct dns_out o;
	struct dnsmsg m;
	size_t index = 0;

	CHECK_INT(dnsmsg_name_parse(name, strlen(name), &q.name), ==, 0);
	dnsmsg_put_header(&c, 7, DNSMSG_RD);
	dnsmsg_put_question(&c, &q);
	CHECK_TRUE(dns_ask(d, (struct dns_client){ .id = 1 }, view_of(buf, wcur_len(&c)), now));
	CHECK_TRUE(dns_next(d, &o));
	if (o.kind == DNS_SEND) {
		ipaddr_format(o.to->addr.ip, out);
		dns_forget(d, 1);
		dns_network_changed(d, now); /* nothing of it is left for the next */
	} else {
		CHECK_INT(dnsmsg_read(o.msg, &m), ==, 0);
		snprintf(out, TEXT, "does not exist");
		if (!(m.h.flags & DNSMSG_RCODE) &&
			dnsmsg_next(m.bytes, &m.h, m.question_end, &index, &r) == 0)
			ipaddr_format(ipaddr_from4(o.msg.p + r.rdata_at), out);
	}
	while (dns_next(d, &o))
		CHECK_INT(o.kind, !=, DNS_SEND); /* and nobody else hears of it */
}

static void names_of_the_tailnet_stay_here_in_any_case(void **state)
{
	char name[TEXT], want[TEXT], got[TEXT];
	struct dns_names *names;
	struct world w;
	struct dns *d;

	rng_seeded_init(&rng, 12);
	CHECK_INT(dns_new(&d, &rng.rng), ==, 0);
	CHECK_INT(dns_names_new(&names, &rng.rng), ==, 0);
	for (int round = 0; round < ROUNDS; round++) {
		make_world(&w);
		install(d, names, &w);
		for (int i = 0; i < NAMES; i++) {
			make_name(name, 1 + rng_below(&rng.rng, LABELS_MAX));
			plain_answer(&w, name, want);
			our_answer(d, name, got);
			CHECK_ROW("round %d: %s, domain %s", round, name, w.domain);
			CHECK_STR(got, want);
		}
	}
	dns_free(d);
	dns_names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_suffix_is_asked_and_nobody_else),
		cmocka_unit_test(names_of_the_tailnet_stay_here_in_any_case),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
