/*
 * os/resolver on its own, for tests on real managers: it is told what to want on standard input, and says on standard output what became of it.
 *
 *	resolver_tool INTERFACE CHOICE
 *	want ADDRESS ... [search NAME ...] [match NAME ...] | nothing | network
 *	--> STATE MANAGER base=ADDRESS,... search=NAME,... splits=0|1 overwritten=N rc=N why=...
 *
 * Ends at the end of its input.
 */
#include "os/resolver/resolver.h"

#include <stdio.h>
#include <stdlib.h>

static struct loop *loop;
static struct resolver *resolver;

static void say(void *ctx)
{
	static const char *const states[] = { "idle", "working", "set", "yielded", "failed" };
	const struct os_dns_config *b = resolver_base(resolver);
	struct resolver_status s = resolver_status(resolver);
	char ip[IPADDR_TEXT_MAX];

	printf("%s %s base=", states[s.state], resolver_manager_name(s.manager));
	for (size_t i = 0; i < b->n_servers; i++)
		printf("%s%s", i ? "," : "", ipaddr_format(b->server[i], ip));
	printf(" search=");
	for (size_t i = 0; i < b->n_search; i++)
		printf("%s%s", i ? "," : "", b->search[i]);
	printf(" splits=%d overwritten=%u rc=%d why=%s\n", resolver_splits(resolver), s.overwritten,
		s.rc, s.why);
	fflush(stdout);
}

static void want(char *words)
{
	static const char *search[OSDNS_SEARCH_MAX], *match[OSDNS_MATCH_MAX];
	struct os_dns_config c = { .search = search, .match = match };
	enum { SERVERS, SEARCH, MATCH } into = SERVERS;
	char *rest;

	for (char *w = strtok_r(words, " \n", &rest); w; w = strtok_r(NULL, " \n", &rest)) {
		if (!strcmp(w, "search"))
			into = SEARCH;
		else if (!strcmp(w, "match"))
			into = MATCH;
		else if (into == SEARCH && c.n_search < OSDNS_SEARCH_MAX)
			search[c.n_search++] = w;
		else if (into == MATCH && c.n_match < OSDNS_MATCH_MAX)
			match[c.n_match++] = w;
		else if (c.n_servers < OSDNS_SERVERS_MAX &&
			 ipaddr_parse(w, strlen(w), &c.server[c.n_servers]) == 0)
			c.n_servers++;
	}
	if (resolver_want(resolver, &(struct resolver_wish){ .whole = &c }) < 0)
		abort();
	say(NULL);
}

static void on_input(void *ctx, int events)
{
	static char line[65536];

	if (!fgets(line, sizeof(line), stdin)) {
		loop_stop(loop);
		return;
	}
	if (!strncmp(line, "want ", 5))
		want(line + 5);
	else if (!strncmp(line, "nothing", 7))
		want(line + 7);
	else
		resolver_on_network_change(resolver);
}

int main(int argc, char **argv)
{
	struct resolver_cfg cfg = { .root = "", .changed = say };
	struct loop_watch *watch;

	if (argc != 3 || loop_new(&loop) < 0 || resolver_choice_parse(argv[2], &cfg.choice) < 0)
		return 2;
	cfg.loop = loop;
	cfg.interface = argv[1];
	if (loop_stop_on_signals(loop) < 0 || resolver_new(&resolver, &cfg) < 0 ||
		loop_watch_new(loop, 0, on_input, NULL, &watch) < 0)
		return 1;
	setvbuf(stdin, NULL, _IONBF, 0);
	loop_watch_set(watch, LOOP_READ);
	say(NULL);
	loop_run(loop);
	loop_watch_free(watch);
	resolver_free(resolver);
	loop_free(loop);
	return 0;
}
