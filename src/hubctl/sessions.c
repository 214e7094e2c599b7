/* The commands for browsers that are logged in. */
#include "hubctl/internal.h"

#include <stdio.h>

int cmd_sessions_list(struct cmd *c)
{
	struct json_list l;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/sessions", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_session_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "=ID", "=USER", "ROLE", "SINCE", "UNTIL");
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_session *s = JSON_AT(l, struct admin_session, i);

		rc = TABLE_ROW(&t, cmd_number(c, s->id), s->user ? s->user : "(root)", s->role,
			cmd_time(c, s->created), cmd_ago(c, s->expires));
	}
	return cmd_print(&t, rc);
}

int cmd_session_end(struct cmd *c)
{
	char path[64];

	if (!cmd_is_number(c->o->word[2]))
		return cmd_fail(
			"\"%s\" is not the number of a session; \"warren-hub sessions list\" shows them",
			c->o->word[2]);
	snprintf(path, sizeof(path), "/sessions/%s/end", c->o->word[2]);
	return cmd_change(c, NULL, path, "Logged out.");
}
