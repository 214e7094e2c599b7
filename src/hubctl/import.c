/* import headscale: another hub's state becomes this one's; without a hub running. */
#include "hub/headscale/headscale.h"
#include "hubctl/internal.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { IMPORT_MEM_MAX = 1 << 30 };

struct outcome {
	const char *dir;
	int64_t users, devices, keys;
	struct json_list settings, differs, lost;
};
static const struct json_field outcome_fields[] = {
	JSON_F(struct outcome, dir, "stateDir", json_str, JSON_OMIT),
	JSON_F(struct outcome, users, "users", json_int, 0),
	JSON_F(struct outcome, devices, "devices", json_int, 0),
	JSON_F(struct outcome, keys, "keys", json_int, 0),
	JSON_F(struct outcome, settings, "settings", json_str_list, JSON_OMIT),
	JSON_F(struct outcome, differs, "differs", json_str_list, JSON_OMIT),
	JSON_F(struct outcome, lost, "lost", json_str_list, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(outcome_type, struct outcome, outcome_fields);

static int print_json(const struct headscale_job *job, const struct headscale_result *r)
{
	struct outcome o = { job->state_dir, r->users, r->devices, r->keys, r->settings, r->differs,
		r->lost };

	return cmd_print_doc(&outcome_type, &o);
}

static void print_list(const char *title, const struct json_list *l)
{
	if (l->n)
		printf("\n%s\n", title);
	for (size_t i = 0; i < l->n; i++)
		printf("  - %s\n", *JSON_AT(*l, const char *, i));
}

static void print_result(
	struct cmd *c, const struct headscale_job *job, const struct headscale_result *r)
{
	printf("%s: %s, %s, %s, with their keys, names and addresses; policy, DNS and approved routes.\n",
		job->state_dir ? "Taken over" : "Would be taken over",
		cmd_count(c, r->users, "user"), cmd_count(c, r->devices, "device"),
		cmd_count(c, r->keys, "auth key"));
	print_list("Different from before:", &r->differs);
	print_list("Not taken over:", &r->lost);
	print_list("From its configuration:", &r->settings);
	if (!job->state_dir)
		printf("\nNothing was written. Without --dry-run it is done.\n");
	else
		printf("\nNow end headscale, and start the hub in its place; devices come back by themselves:\n"
		       "  warren-hub serve --state-dir %s --config %s/imported.conf\n",
			job->state_dir, job->state_dir);
}

int cmd_import_headscale(struct cmd *c)
{
	const struct headscale_job job = { .config = c->o->word[2],
		.state_dir = c->o->dry_run ? NULL : c->o->state_dir,
		.policy = c->o->policy,
		.owner = cmd_given(c, "owner", c->o->owner),
		.now = (unix_ms)time(NULL) * 1000 };
	struct headscale_result r;
	struct err_at at = { 0 };
	struct arena mem;
	int rc;

	arena_init(&mem, IMPORT_MEM_MAX);
	rc = headscale_import(&job, &mem, &r, &at);
	if (rc < 0)
		rc = cmd_fail("not imported: %s", at.text);
	else if (c->o->json)
		rc = print_json(&job, &r);
	else
		print_result(c, &job, &r);
	arena_fini(&mem);
	return rc;
}
