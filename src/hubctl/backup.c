/* backup and restore: of files, without a hub, so that they also help when there is none. */
#include "hub/backup/backup.h"
#include "hubctl/internal.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

struct outcome {
	const char *file, *dir, *replaced, *version;
	unix_ms made;
	int64_t users, devices, keys;
};
static const struct json_field outcome_fields[] = {
	JSON_F(struct outcome, file, "file", json_str, 0),
	JSON_F(struct outcome, dir, "stateDir", json_str, 0),
	JSON_F(struct outcome, replaced, "replaced", json_str, JSON_OMIT),
	JSON_F(struct outcome, made, "made", json_time, 0),
	JSON_F(struct outcome, version, "version", json_str, 0),
	JSON_F(struct outcome, users, "users", json_int, 0),
	JSON_F(struct outcome, devices, "devices", json_int, 0),
	JSON_F(struct outcome, keys, "keys", json_int, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(outcome_type, struct outcome, outcome_fields);

static int print_outcome(const struct store_backup_info *info, const struct outcome *where)
{
	struct outcome o = *where;

	o.made = info->made;
	o.version = info->version;
	o.users = info->users;
	o.devices = info->devices;
	o.keys = info->keys;
	return cmd_print_doc(&outcome_type, &o);
}

static const char *content(struct cmd *c, const struct store_backup_info *info)
{
	return arena_printf(&c->mem, "%s, %s, %s", cmd_count(c, info->users, "user"),
		cmd_count(c, info->devices, "device"), cmd_count(c, info->keys, "key"));
}

int cmd_backup(struct cmd *c)
{
	const char *file = c->o->word[1], *dir = c->o->state_dir, *what;
	unix_ms now = (unix_ms)time(NULL) * 1000;
	struct store_backup_info info;
	struct err_at at;
	int rc = backup_make(dir, file, now, &info, &at);

	if (rc < 0)
		return cmd_fail("no backup: %s", at.text[0] ? at.text : err_text(rc));
	if (c->o->json)
		return print_outcome(&info, &(struct outcome){ .file = file, .dir = dir });
	what = content(c, &info);
	if (!what)
		return cmd_fail("%s", err_text(-ENOMEM));
	printf("%s: %s, and the hub's keys. Who has this file can be the hub: keep it as safe as the hub.\n",
		file, what);
	return 0;
}

int cmd_restore(struct cmd *c)
{
	const char *file = c->o->word[1], *dir = c->o->state_dir, *what;
	unix_ms now = (unix_ms)time(NULL) * 1000;
	struct store_backup_info info;
	char moved[4096] = "";
	struct err_at at;
	int rc = backup_restore(file, dir, c->o->replace, now, moved, &info, &at);

	if (rc < 0)
		return cmd_fail("not restored: %s", at.text[0] ? at.text : err_text(rc));
	if (c->o->json)
		return print_outcome(
			&info, &(struct outcome){ .file = file, .dir = dir, .replaced = moved });
	what = content(c, &info);
	if (!what)
		return cmd_fail("%s", err_text(-ENOMEM));
	printf("%s is again what it was %s: %s.\n", dir, cmd_ago(c, info.made), what);
	if (moved[0])
		printf("What was there before is in %s.\n", moved);
	printf("Start the hub: devices come back by themselves. What was changed since then is to be done again.\n");
	return 0;
}
