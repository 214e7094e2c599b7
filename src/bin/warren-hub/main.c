/* warren-hub: the coordination server, and the commands of its administration. */
#include "hub/hub.h"
#include "hubctl/hubctl.h"
#include "os/notify/notify.h"
#include "term/term.h"

#include <stdio.h>
#include <string.h>

static void help(void)
{
	printf("Usage: warren-hub serve [options]\n       warren-hub COMMAND [options]\n\n"
	       "The hub of a private network: devices join it, and it tells each of the others.\n\nCommands:\n");
	hubctl_help();
	printf("\nTheir options:\n");
	hub_options_help(false);
	printf("\nOptions of serve; each is an environment variable, too (--state-dir: WARREN_HUB_STATE_DIR):\n");
	hub_options_help(true);
}

static int serve(const struct hub_options *o)
{
	const char *wrong = hub_options_not_of_serve(o);
	struct err_at at = { 0 };
	struct hub *h;
	int rc;

	if (wrong || o->n_words > 1) {
		fprintf(stderr,
			"warren-hub: %s%s is nothing for \"serve\"; \"warren-hub serve --help\" lists what is\n",
			wrong ? "--" : "", wrong ? wrong : o->word[1]);
		return 2;
	}
	notify_init();
	rc = hub_new(&h, o, &at);

	if (rc < 0) {
		fprintf(stderr, "warren-hub: %s\n", at.text);
		return 1;
	}
	hub_print_ready(h);
	notify_ready();
	rc = hub_run(h);
	notify_stopping();
	hub_free(h);
	return rc < 0;
}

static void help_of_serve(void)
{
	printf("Usage: warren-hub serve [options]\n\n  Runs the hub.\n\nOptions; each is an environment variable, too "
	       "(--state-dir: WARREN_HUB_STATE_DIR):\n");
	hub_options_help(true);
}

static int command(const struct hub_options *o)
{
	bool is_serve = o->n_words && !strcmp(o->word[0], "serve"),
	     wants_help = o->n_words && !strcmp(o->word[0], "help");

	if (o->version) {
		printf("warren-hub %s\n", WARREN_VERSION);
	} else if (!o->n_words || wants_help) {
		help();
		return o->help || wants_help ? 0 : 2;
	} else if (is_serve && o->help) {
		help_of_serve();
	} else {
		return is_serve ? serve(o) : hubctl_run(o);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct hub_options o;
	struct err_at at = { 0 };
	int rc;

	term_guard();
	if (argc > 1 && !strcmp(argv[1], "__complete"))
		return hubctl_complete(argc - 2, argv + 2);
	rc = hub_options_parse(&o, argc, argv, &at);
	if (rc < 0) {
		fprintf(stderr, "warren-hub: %s\n", at.text);
		rc = 2;
	} else {
		rc = command(&o);
	}
	hub_options_fini(&o);
	return rc;
}
