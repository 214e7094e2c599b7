/* warren-hub: the coordination server, and the commands of its administration. */
#include "hub/hub.h"
#include "os/notify/notify.h"

#include <stdio.h>
#include <string.h>

static void help(void)
{
	printf("Usage: warren-hub serve [options]\n       warren-hub COMMAND [options]\n\n"
	       "The hub of a private network: devices join it, and it tells each of the others.\n\nCommands:\n");
	hub_command_help();
	printf("\nTheir options:\n");
	hub_options_help(false);
	printf("\nOptions of serve; each is an environment variable, too (--state-dir: WARREN_HUB_STATE_DIR):\n");
	hub_options_help(true);
}

static int serve(const struct hub_options *o)
{
	struct err_at at = { 0 };
	struct hub *h;
	int rc;

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

int main(int argc, char **argv)
{
	struct hub_options o;
	struct err_at at = { 0 };
	int rc = hub_options_parse(&o, argc, argv, &at);

	if (rc < 0) {
		fprintf(stderr, "warren-hub: %s\n", at.text);
		rc = 2;
	} else if (o.version) {
		printf("warren-hub %s\n", WARREN_VERSION);
	} else if (o.help || !o.n_words) {
		help();
		rc = o.help ? 0 : 2;
	} else if (!strcmp(o.word[0], "serve")) {
		rc = serve(&o);
	} else {
		rc = hub_command(&o);
	}
	hub_options_fini(&o);
	return rc;
}
