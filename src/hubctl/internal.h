/* hubctl: what the files of the commands share. Lower files first: who asks and what is shown, then the commands. */
#ifndef WARREN_HUBCTL_INTERNAL_H
#define WARREN_HUBCTL_INTERNAL_H

#include "core/coord/coord.h"
#include "hub/admin/admin_json.h"
#include "hub/state/options.h"
#include "term/table.h"
#include "term/term.h"

struct cmd {
	const struct hub_options *o;
	struct arena mem;
	struct buf in;    /* the answer */
	struct view body; /* of the answer */
	int status;
	const char *file; /* the policy that was sent: names the place of its faults */
};

/* ask.c: 0, or the exit status; then the person knows why */

/* Says it on stderr and gives 1. */
int cmd_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The answer is in c->body. */
MUST_USE int cmd_ask(
	struct cmd *c, const char *method, const char *path, const struct admin_request *req);
/* The answer, for showing: its texts are plain. */
MUST_USE bool cmd_decode(struct cmd *c, const struct json_type *t, void *ret);
void cmd_print_json(const struct cmd *c); /* the answer as it came */
/* One of the command's own, without a hub's answer. 0, or the exit status. */
MUST_USE int cmd_print_doc(const struct json_type *t, const void *doc);
/* Decodes the answer. Prints it as it came for --json: *ret_done. */
MUST_USE int cmd_answer(struct cmd *c, const struct json_type *t, void *doc, bool *ret_done);
/* Changes whose answer is short: said in a sentence, or as the hub answered with --json. req may be NULL. */
MUST_USE int cmd_change(
	struct cmd *c, const struct admin_request *req, const char *path, const char *said);
/* All of the standard input. -ERR_TOO_BIG. */
MUST_USE int cmd_read_stdin(struct buf *b);
/* Who runs this command: for the list of versions and of approvals. */
const char *cmd_author(struct cmd *c);

/* args.c: 0, or the exit status */

/* The value of an option that serve has a default for: only if it stands on the command line. Else NULL. */
const char *cmd_given(const struct cmd *c, const char *flag, const char *value);

/* A number stands for itself; else it is looked up by name. */
MUST_USE int cmd_resolve_node(struct cmd *c, const char *word, int64_t *ret);
bool cmd_is_number(const char *s);
/* --expiry, if it was given. */
MUST_USE int cmd_expiry(struct cmd *c, int64_t *ret_ms);
/* "tag:a,tag:b". -ENOMEM. */
MUST_USE int cmd_split_tags(struct cmd *c, const char *text, struct json_list *ret);

/* show.c */

const char *cmd_time(struct cmd *c, unix_ms t); /* date and time of day; "-" for none */
const char *cmd_ago(struct cmd *c, unix_ms t);  /* "3m ago", "in 2d"; "-" for none */
const char *cmd_number(struct cmd *c, int64_t n);
/* "1 device", "2 devices" */
const char *cmd_count(struct cmd *c, int64_t n, const char *what);
const char *cmd_join(struct cmd *c, const struct json_list *l);
/* "primary", "standby", "not approved", ... */
const char *cmd_route_state(const struct admin_route *r);
/* rc: of the rows. */
MUST_USE int cmd_print(const struct table *t, int rc);

#define HEAD(t, c, ...) \
	table_init_head((t), &(c)->mem, (const char *const[]){ __VA_ARGS__ }, \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* status.c */
int cmd_status(struct cmd *c);
int cmd_login(struct cmd *c);
int cmd_sessions_list(struct cmd *c);
int cmd_session_end(struct cmd *c);
int cmd_console(struct cmd *c);

/* users.c */
int cmd_users_list(struct cmd *c);
int cmd_user_create(struct cmd *c);
int cmd_user_rename(struct cmd *c);
int cmd_user_role(struct cmd *c);
int cmd_user_delete(struct cmd *c);

/* nodes.c */
int cmd_nodes_list(struct cmd *c);
int cmd_node_show(struct cmd *c);
int cmd_nodes_pending(struct cmd *c);
int cmd_node_approve(struct cmd *c);
int cmd_node_reject(struct cmd *c);
int cmd_node_rename(struct cmd *c);
int cmd_node_tag(struct cmd *c);
int cmd_node_move(struct cmd *c);
int cmd_node_expire(struct cmd *c);
int cmd_node_delete(struct cmd *c);

/* keys.c */
int cmd_keys_list(struct cmd *c);
int cmd_key_create(struct cmd *c);
int cmd_key_revoke(struct cmd *c);
int cmd_key_delete(struct cmd *c);
int cmd_key_move(struct cmd *c);

/* backup.c */
int cmd_backup(struct cmd *c);
int cmd_restore(struct cmd *c);

/* audit.c */
int cmd_audit_list(struct cmd *c);
int cmd_audit_export(struct cmd *c);

/* import.c */
int cmd_import_headscale(struct cmd *c);

/* policy.c */
int cmd_policy_get(struct cmd *c);
int cmd_policy_set(struct cmd *c);
int cmd_policy_check(struct cmd *c);
int cmd_policy_preview(struct cmd *c);
int cmd_policy_can(struct cmd *c);
int cmd_policy_status(struct cmd *c);
int cmd_policy_versions(struct cmd *c);
int cmd_policy_show(struct cmd *c);
int cmd_policy_diff(struct cmd *c);
int cmd_policy_rollback(struct cmd *c);
int cmd_policy_pull(struct cmd *c);

/* routes.c */
int cmd_routes_list(struct cmd *c);
int cmd_route_approve(struct cmd *c);
int cmd_route_unapprove(struct cmd *c);
int cmd_own_prefixes(struct cmd *c);
int cmd_own_prefixes_set(struct cmd *c);
int cmd_own_prefixes_clear(struct cmd *c);

/* dns.c */
int cmd_dns_status(struct cmd *c);
int cmd_dns_list(struct cmd *c);
int cmd_dns_change(struct cmd *c);
int cmd_dns_change_split(struct cmd *c);
int cmd_dns_change_records(struct cmd *c);
/* Of a zone file; --dry-run says what would be added. */
int cmd_dns_import(struct cmd *c);
int cmd_dns_switch(struct cmd *c);
int cmd_dns_preview(struct cmd *c);

/* tokens.c */
int cmd_tokens_list(struct cmd *c);
int cmd_tokens_create(struct cmd *c);
int cmd_token_revoke(struct cmd *c);
int cmd_token_delete(struct cmd *c);

#endif
