/*
 * cli/common: what the commands share: the connection to the daemon, errors in the words that scripts know, help, names of devices. The
 * commands themselves, one file each: cli/prefs changes this device, cli/show asks and tells.
 */
#ifndef WARREN_CLI_COMMON_COMMON_H
#define WARREN_CLI_COMMON_COMMON_H

#include "localapi/client/client.h"
#include "term/flags.h"
#include "term/table.h"
#include "term/term.h"

struct cli {
	struct lclient api;
	struct arena arena; /* lives as long as the command */
	int argc;           /* of the whole command line, for hints */
	char **argv;
	bool warned_of_version;
	size_t width; /* of the terminal at standard output; 0: none */
};

struct cli_cmd {
	const char *name; /* NULL ends a table */
	int (*run)(struct cli *c, struct flag *flags, int argc, char **argv); /* the exit code */
	const char *usage;                                                    /* behind "warren " */
	const char *help;                                                     /* one line */
	const char *more;                 /* paragraphs; NULL for none */
	struct flag *flags;               /* NULL for none */
	struct flag *(*make_flags)(void); /* instead of flags, for tables that are put together */
	const struct cli_cmd *sub;
	bool takes_args; /* besides subcommands: other words are arguments */
	bool hidden;
};

extern const struct cli_cmd cli_up, cli_login, cli_down, cli_logout, cli_set, cli_get, cli_switch,
	cli_status, cli_ping, cli_ip, cli_netcheck, cli_whois, cli_whoami, cli_version, cli_wait,
	cli_bugreport, cli_metrics, cli_dns, cli_exit_node, cli_routes, cli_nc, cli_debug,
	cli_completion;

/* ---- errors: a line on stderr; all give the exit code ---- */

int cli_fail(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3); /* 1 */
/* What a call came back with; before: text in front, or "". 1. */
int cli_fail_api(const struct cli *c, const char *before, int rc, const struct lclient_err *err);
void cli_usage(const struct cli_cmd *cmd, const char *path, FILE *out);
/* "too many non-flag arguments" when there are any. */
bool cli_no_args(const struct cli *c, int argc, char **argv);

/* ---- calls: false after an error was printed ---- */

bool cli_get_doc(struct cli *c, const char *path, const struct json_type *t, void *ret);
bool cli_get_status(struct cli *c, bool peers, struct ipn_status *ret);
/* body: may be NULL. out: may be NULL. */
bool cli_post(struct cli *c, const char *method, const char *path, const struct buf *body, int want,
	struct buf *out);
bool cli_edit_prefs(struct cli *c, const struct ipn_masked_prefs *edit);
/* After calls made with lclient_* directly: says once when the daemon is of another version. */
void cli_note_version(struct cli *c);
/* Prints what a path answers as it is, or, when indent is given, laid out anew. */
bool cli_print_json(struct cli *c, const char *path, const char *indent, const char *end);

/* ---- texts ---- */

/* Printed instead of what a running daemon is needed for; true: it runs. Output goes to stdout as the original's. */
bool cli_is_running(struct cli *c, const struct ipn_status *s);
/* What there is to say of a state that is not running; NULL: it runs or starts. */
const char *cli_state_text(struct cli *c, const struct ipn_status *s);
/* A text of the health that says no more than that somebody has to log in. */
bool cli_only_wants_login(const char *health_text);
/* "3m ago", "2h ago", "5d ago" */
const char *cli_ago(struct cli *c, unix_ms at);
const char *cli_ip_text(struct cli *c, struct ipaddr ip);
const char *cli_first_ip(struct cli *c, const struct json_list *ips);
/* A DNS name without its dot and without the tailnet's suffix. */
const char *cli_short_name(struct cli *c, const char *dns_name, const char *suffix);
const char *cli_text_or(const char *s, const char *otherwise);
const char *cli_join(struct cli *c, const struct json_list *texts, const char *between);
bool cli_ask(const char *question, bool by_default); /* without a terminal: the default */
long long cli_now_ms(void);                          /* monotonic */
/* An escaped query value. */
const char *cli_escape(struct cli *c, const char *s);

/* ---- devices ---- */

/* The address of a device by name or address, or of the own node (*ret_self). False after an error was printed. */
bool cli_find_ip(struct cli *c, const char *name, struct ipaddr *ret, bool *ret_self);
const struct ipn_peer_status *cli_peer_by_ip(
	const struct ipn_status *s, struct ipaddr ip); /* NULL; the own node, too */

#endif
