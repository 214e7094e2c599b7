#include "cli/common/common.h"

struct version {
	const char *major_minor_patch, *short_text, *long_text, *daemon_long;
	int64_t cap;
};
static const struct json_field version_fields[] = {
	JSON_F(struct version, major_minor_patch, "majorMinorPatch", json_str, 0),
	JSON_F(struct version, short_text, "short", json_str, 0),
	JSON_F(struct version, long_text, "long", json_str, 0),
	JSON_F(struct version, daemon_long, "daemonLong", json_str, JSON_OMIT),
	JSON_F(struct version, cap, "cap", json_int, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(version_type, struct version, version_fields);

static int print_json(const struct version *v)
{
	struct buf compact, text;
	int rc;

	buf_init(&compact, 65536);
	buf_init(&text, 65536);
	rc = json_encode(&version_type, v, &compact);
	if (rc == 0)
		rc = json_indent(buf_view(&compact), "", "\t", &text);
	if (rc == 0)
		printf("%s\n", buf_cstr(&text));
	buf_fini(&text);
	buf_fini(&compact);
	return rc < 0;
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct version v = { WARREN_VERSION, WARREN_VERSION, WARREN_VERSION, NULL, IPN_CAPABILITY };
	struct ipn_status s = { 0 };
	bool daemon = flag_on(flags, "daemon");

	if (!cli_no_args(c, argc, argv) || (daemon && !cli_get_status(c, false, &s)))
		return 1;
	v.daemon_long = s.version;
	if (flag_on(flags, "json"))
		return print_json(&v);
	printf("%s%s\n  long version: %s\n", daemon ? "Client: " : "", v.short_text, v.long_text);
	if (daemon)
		printf("Daemon: %s\n", cli_text_or(s.version, "unknown"));
	return 0;
}

static struct flag flags[] = {
	{ .name = "daemon", .kind = FLAG_BOOL, .help = "that of the running daemon, too" },
	{ .name = "json", .kind = FLAG_BOOL, .help = "as JSON" },
	{ .name = NULL },
};

const struct cli_cmd cli_version = {
	.name = "version",
	.run = run,
	.usage = "version [flags]",
	.help = "Show the version",
	.more = "With --daemon the exit code tells whether a daemon answers.",
	.flags = flags,
};
