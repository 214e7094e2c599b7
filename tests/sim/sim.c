/*
 * The simulator: scenarios over many seeds. Output is TAP; figures follow as a table in diagnostics. A seed that fails is
 * printed as the command that repeats it, also when an engine aborts.
 */
#include "base/err/err.h"
#include "base/text/text.h"
#include "tests/sim/simnet.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { FAILURES_MAX = 5 };

extern const struct scenario scenario_matrix, scenario_matrix_far, scenario_matrix_bad,
	scenario_path_death, scenario_roaming, scenario_roaming_silence, scenario_nat_reboot,
	scenario_hub_restart, scenario_relay_restart, scenario_node_restart, scenario_expiry,
	scenario_removal, scenario_clocks, scenario_shields, scenario_steady, scenario_idle_day,
	scenario_many_nodes, scenario_forgery, scenario_chaos, scenario_policies;

const struct scenario *const scenarios[] = { &scenario_matrix, &scenario_matrix_far,
	&scenario_matrix_bad, &scenario_path_death, &scenario_roaming, &scenario_roaming_silence,
	&scenario_nat_reboot, &scenario_hub_restart, &scenario_relay_restart,
	&scenario_node_restart, &scenario_expiry, &scenario_removal, &scenario_clocks,
	&scenario_shields, &scenario_steady, &scenario_idle_day, &scenario_many_nodes,
	&scenario_forgery, &scenario_chaos, &scenario_policies };
const size_t n_scenarios = ARRAY_LEN(scenarios);

struct options {
	const char *scenario;
	uint64_t seeds, first;
	bool one_seed, trace, list;
};

static const char *argv0;
static char repeat[256];

static void set_repeat(const struct scenario *s, uint64_t seed)
{
	snprintf(repeat, sizeof(repeat), "# repeat: %s --scenario %s --seed %llu --trace\n", argv0,
		s->name, (unsigned long long)seed);
}

static void say_repeat(void)
{
	ssize_t n = write(STDOUT_FILENO, repeat, strlen(repeat));

	(void)n;
}

static void on_abort(int sig)
{
	say_repeat();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Sanitizers end the process by themselves. */
void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));

static const char *describe(const uint8_t *p, size_t len)
{
	if (len >= 6 && !memcmp(p, "TS\xf0\x9f\x92\xac", 6))
		return "disco ";
	if (len >= 4 && p[1] == 0 && p[2] == 0 && p[3] == 0 && p[0] >= 1 && p[0] <= 4)
		return p[0] == 1   ? "initiation "
		       : p[0] == 2 ? "response "
		       : p[0] == 3 ? "cookie "
				   : "data ";
	return len >= 20 && !memcmp(p + 4, "\x21\x12\xa4\x42", 4) ? "stun " : "";
}

/* 0: it held. The digest of all that happened. */
static int run_seed(const struct scenario *s, uint64_t seed, bool trace, uint64_t *ret_digest)
{
	struct simnet *w = calloc(1, sizeof(*w));

	CHECK(w);
	set_repeat(s, seed);
	w->v = vnet_new(seed);
	vnet_trace(w->v, trace ? stdout : NULL, describe);
	if (setjmp(w->failed)) {
		/* What a callback left half done is not cleaned up. */
		printf("# %s, seed %llu: %s\n", s->name, (unsigned long long)seed, w->why);
		fflush(stdout);
		say_repeat();
		return -1;
	}
	s->run(w, seed);
	simnet_fini(w);
	*ret_digest = vnet_digest(w->v);
	vnet_free(w->v);
	free(w);
	return 0;
}

static bool run_scenario(const struct scenario *s, const struct options *o, size_t number)
{
	uint64_t first = o->first,
		 n = o->one_seed ? 1
		     : o->seeds  ? o->seeds
				 : (uint64_t)s->seeds,
		 digest, again;
	unsigned failed = 0;

	for (uint64_t seed = first; seed < first + n && failed < FAILURES_MAX; seed++)
		failed += run_seed(s, seed, o->trace, &digest) < 0;
	/* The same seed, the same events. */
	if (!failed && !o->one_seed &&
		(run_seed(s, first, false, &digest) < 0 || run_seed(s, first, false, &again) < 0 ||
			digest != again)) {
		printf("# %s: a run of seed %llu differs from another\n", s->name,
			(unsigned long long)first);
		failed++;
	}
	printf("%sok %zu - %s: %s, %llu seeds\n", failed ? "not " : "", number, s->name, s->what,
		(unsigned long long)n);
	stat_print();
	fflush(stdout);
	return failed == 0;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: %s [--list] [--scenario NAME] [--seeds N] [--seed S] [--first S] [--trace]\n",
		argv0);
	return 2;
}

static int take_options(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		uint64_t *number = !strcmp(argv[i], "--seeds") ? &o->seeds
				   : !strcmp(argv[i], "--seed") || !strcmp(argv[i], "--first")
					   ? &o->first
					   : NULL;

		if (!strcmp(argv[i], "--trace")) {
			o->trace = true;
		} else if (!strcmp(argv[i], "--list")) {
			o->list = true;
		} else if (value && !strcmp(argv[i], "--scenario")) {
			o->scenario = argv[++i];
		} else if (value && number &&
			   text_u64(value, strlen(value), UINT64_MAX, number) == 0) {
			o->one_seed = o->one_seed || !strcmp(argv[i], "--seed");
			i++;
		} else {
			return usage();
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .first = 1 };
	size_t n = 0, failed = 0;

	argv0 = argv[0];
	if (take_options(argc, argv, &o) != 0)
		return 2;
	signal(SIGABRT, on_abort);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(say_repeat);
	for (size_t i = 0; i < n_scenarios; i++) {
		if (o.scenario && strcmp(o.scenario, scenarios[i]->name) != 0)
			continue;
		n++;
		if (o.list)
			printf("%-16s %s\n", scenarios[i]->name, scenarios[i]->what);
		else
			failed += !run_scenario(scenarios[i], &o, n);
	}
	if (!o.list)
		printf("1..%zu\n", n);
	if (!n)
		fprintf(stderr, "no such scenario; --list names them\n");
	return n && !failed ? 0 : 1;
}
