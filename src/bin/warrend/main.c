/* warrend: the daemon of a device. Flags and environment are tailscaled's; see daemon/options.h. */
#include "daemon/daemon.h"
#include "term/term.h"

#include <stdio.h>
#include <time.h>

/* In the form of Go's log package, which is what people grep for. */
static void complain(const char *text)
{
	char date[32];
	time_t now = time(NULL);
	struct tm tm;

	strftime(date, sizeof(date), "%Y/%m/%d %H:%M:%S", localtime_r(&now, &tm));
	fprintf(stderr, "%s %s\n", date, text);
}

int main(int argc, char **argv)
{
	struct daemon_options o;
	struct err_at at = { 0 };
	int rc;

	term_guard();
	rc = options_parse(&o, argc, argv, &at);

	if (rc == OPTIONS_DONE || rc == -ERR_BAD_VALUE) {
		if (rc < 0)
			fprintf(stderr, "%s\n", at.text);
		options_usage();
		return rc < 0 ? 2 : 0;
	}
	if (rc == 0 && o.version) {
		printf("%s\n  long version: %s\n", WARREN_VERSION, WARREN_VERSION);
		return 0;
	}
	if (rc == 0 && o.cleanup)
		return daemon_cleanup(&o);
	if (rc == 0)
		rc = options_settle(&o, &at);
	if (rc < 0) {
		complain(at.text);
		return 1;
	}
	return daemon_run(&o);
}
