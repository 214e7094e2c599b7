/* Commands of a few lines: metrics, bugreport. */
#include "cli/common/common.h"

#include <unistd.h>

/* ---- metrics ---- */

static int print_metrics(struct cli *c, struct flag *flags, int argc, char **argv)
{
	return !cli_no_args(c, argc, argv) || !cli_print_json(c, "usermetrics", NULL, "");
}

/* Whole or not at all, as a collector may read the file at any time. */
static int write_metrics(struct cli *c, struct flag *flags, int argc, char **argv)
{
	char *beside;
	struct buf text;
	FILE *f = NULL;
	bool ok;

	if (argc != 1)
		return cli_fail(c, "usage: warren metrics write <path>");
	beside = arena_printf(&c->arena, "%s.%d", argv[0], (int)getpid());
	buf_init(&text, LCLIENT_ANSWER_MAX);
	ok = cli_post(c, "GET", "usermetrics", NULL, 200, &text);
	if (ok) {
		f = fopen(beside, "w");
		ok = f && fwrite(buf_data(&text), 1, buf_len(&text), f) == buf_len(&text);
		ok = f && fclose(f) == 0 && ok && rename(beside, argv[0]) == 0;
		if (!ok) {
			perror(argv[0]);
			unlink(beside);
		}
	}
	buf_fini(&text);
	return !ok;
}

static const struct cli_cmd metrics_sub[] = {
	{ .name = "print", .run = print_metrics, .usage = "metrics print", .help = "Print them" },
	{ .name = "write",
		.run = write_metrics,
		.usage = "metrics write <path>",
		.help = "Write them to a file for a collector" },
	{ .name = NULL },
};

const struct cli_cmd cli_metrics = {
	.name = "metrics",
	.run = print_metrics,
	.usage = "metrics [print|write]",
	.help = "Show counters in Prometheus's text format",
	.sub = metrics_sub,
};

/* ---- bugreport ---- */

static int run_bugreport(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct buf marker;
	bool ok;

	if (argc > 1)
		return cli_fail(c, "unknown arguments");
	buf_init(&marker, 65536);
	ok = cli_post(c, "POST",
		arena_printf(&c->arena, "bugreport?note=%s", argc ? cli_escape(c, argv[0]) : ""),
		NULL, 200, &marker);
	if (ok)
		fwrite(buf_data(&marker), 1, buf_len(&marker), stdout);
	buf_fini(&marker);
	return !ok;
}

const struct cli_cmd cli_bugreport = {
	.name = "bugreport",
	.run = run_bugreport,
	.usage = "bugreport [note]",
	.help = "Mark this moment in the daemon's log",
	.more = "The note goes into the log of warrend; nothing is sent anywhere.",
};
