/* Which commands there are: their help, which flags belong to which, and what is said of one that there is not. */
#include "base/text/near.h"
#include "hubctl/hubctl.h"
#include "hubctl/internal.h"
#include "hubctl/command.h"

#include <stdio.h>

enum { ANSWER_MEM_MAX = 512 << 20, LINE_LEN = 128 };

/* Behind the text: what its arguments are, for completion, and the flags that it takes besides those of all. */
const struct command command_table[] = {
	{ "status", NULL, "", 0, 0, cmd_status, "is it running, with how many devices", "",
		"limits qr" },
	{ "users", "list", "", 0, 0, cmd_users_list, "people that devices belong to", "", "" },
	{ "users", "create", "NAME", 1, 1, cmd_user_create, "one more", "-", "" },
	{ "users", "rename", "USER NEW-NAME", 2, 2, cmd_user_rename,
		"its devices and keys stay its", "u-", "" },
	{ "users", "role", "USER ROLE", 2, 2, cmd_user_role,
		"what policies call it: member, admin, owner, ...", "ur", "" },
	{ "users", "delete", "USER [--move-to USER|--with-devices]", 1, 1, cmd_user_delete,
		"with its keys", "u", "move-to with-devices" },
	{ "nodes", "list", "[flags]", 0, 0, cmd_nodes_list, "devices: all, or some, in some order",
		"", "online offline expired waiting user tag os sort reverse" },
	{ "nodes", "show", "NODE", 1, 1, cmd_node_show, "all about one", "n", "" },
	{ "nodes", "pending", "[CODE|NODE] [--user USER]", 0, 1, cmd_nodes_pending,
		"devices that wait for approval; of one, all that it would get", "w", "user" },
	{ "nodes", "approve", "CODE|NODE [flags]", 1, 1, cmd_node_approve,
		"let in the device whose page shows CODE, or that waits", "w", "user digest yes" },
	{ "nodes", "reject", "CODE|NODE", 1, 1, cmd_node_reject, "do not let it in", "w", "" },
	{ "nodes", "rename", "NODE [NEW-NAME|--unpin]", 1, 2, cmd_node_rename,
		"without a name: as it calls itself", "n-", "unpin" },
	{ "nodes", "tag", "NODE TAG...", 1, 12, cmd_node_tag,
		"replaces its tags; tagged devices belong to no person", "nt", "" },
	{ "nodes", "untag", "NODE [USER]", 1, 2, cmd_node_move,
		"takes its tags away; it is that user's then", "nu", "user" },
	{ "nodes", "move", "NODE USER", 1, 2, cmd_node_move, "it is that user's from now on", "nu",
		"user" },
	{ "nodes", "expire", "NODE [--expiry TIME]", 1, 1, cmd_node_expire,
		"it has to log in again: now, then, or never", "n", "expiry" },
	{ "nodes", "delete", "NODE", 1, 1, cmd_node_delete, "it is out, and has to log in again",
		"n", "" },
	{ "keys", "list", "", 0, 0, cmd_keys_list, "keys that devices join with", "", "" },
	{ "keys", "create", "[flags]", 0, 0, cmd_key_create, "prints it, once", "",
		"user reusable ephemeral preapproved tags expiry qr" },
	{ "keys", "revoke", "KEY", 1, 1, cmd_key_revoke, "nothing joins with it any more", "k",
		"" },
	{ "keys", "delete", "KEY", 1, 1, cmd_key_delete, "the same, and it is not listed any more",
		"k", "" },
	{ "keys", "move", "KEY USER", 2, 2, cmd_key_move,
		"devices that join with it are that user's", "ku", "" },
	{ "routes", "list", "", 0, 0, cmd_routes_list,
		"what devices offer to carry, and what of it is approved", "", "" },
	{ "routes", "approve", "NODE PREFIX", 2, 2, cmd_route_approve, "also in advance", "n-",
		"" },
	{ "routes", "unapprove", "NODE PREFIX", 2, 2, cmd_route_unapprove,
		"it may not carry it any more", "n-", "" },
	{ "own-prefixes", "list", "", 0, 0, cmd_own_prefixes,
		"of the organisation: no device should offer them by itself", "", "" },
	{ "own-prefixes", "set", "[PREFIX...] [--mode MODE]", 0, 14, cmd_own_prefixes_set,
		"replaces them; without any only the mode", "-", "mode" },
	{ "own-prefixes", "clear", "", 0, 0, cmd_own_prefixes_clear, "there are none any more", "",
		"" },
	{ "dns", "status", "", 0, 0, cmd_dns_status, "how devices resolve names", "", "" },
	{ "dns", "nameservers list", "", 0, 0, cmd_dns_list, "resolvers of all names", "", "" },
	{ "dns", "nameservers add", "ADDRESS... [flags]", 1, 12, cmd_dns_change,
		"an address, https://NAME/PATH or tls://NAME", "-", "with-exit-node at" },
	{ "dns", "nameservers remove", "ADDRESS...", 1, 12, cmd_dns_change, "some of them", "-",
		"" },
	{ "dns", "nameservers set", "ADDRESS... [flags]", 1, 12, cmd_dns_change, "replaces them",
		"-", "with-exit-node at" },
	{ "dns", "nameservers clear", "", 0, 0, cmd_dns_change, "devices use their own", "", "" },
	{ "dns", "split list", "", 0, 0, cmd_dns_list, "domains with resolvers of their own", "",
		"" },
	{ "dns", "split set", "DOMAIN [ADDRESS...] [flags]", 1, 12, cmd_dns_change_split,
		"who answers its names; without an address only records do", "-",
		"with-exit-node at" },
	{ "dns", "split add", "DOMAIN ADDRESS... [flags]", 2, 12, cmd_dns_change_split,
		"one more resolver", "-", "with-exit-node at" },
	{ "dns", "split remove", "DOMAIN [ADDRESS...]", 1, 12, cmd_dns_change_split,
		"the domain, or some of its resolvers", "-", "" },
	{ "dns", "search list", "", 0, 0, cmd_dns_list, "what is put behind short names", "", "" },
	{ "dns", "search add", "DOMAIN...", 1, 12, cmd_dns_change, "behind those that are there",
		"-", "" },
	{ "dns", "search remove", "DOMAIN...", 1, 12, cmd_dns_change, "some of them", "-", "" },
	{ "dns", "search set", "DOMAIN...", 1, 12, cmd_dns_change, "replaces them", "-", "" },
	{ "dns", "search clear", "", 0, 0, cmd_dns_change, "only the base domain is left", "", "" },
	{ "dns", "records list", "", 0, 0, cmd_dns_list, "names beside those of devices", "", "" },
	{ "dns", "records add", "NAME [A|AAAA] ADDRESS...", 2, 12, cmd_dns_change_records,
		"every device resolves it so", "-", "" },
	{ "dns", "records remove", "NAME [A|AAAA] [ADDRESS...]", 1, 12, cmd_dns_change_records,
		"without an address all of this name", "-", "" },
	{ "dns", "records import", "FILE [--dry-run]", 1, 1, cmd_dns_import,
		"the addresses of a zone file that are not there yet; - reads standard input", "f",
		"dry-run" },
	{ "dns", "magic", "on|off", 1, 1, cmd_dns_switch, "short names of devices are resolved",
		"o", "" },
	{ "dns", "override", "on|off", 1, 1, cmd_dns_switch,
		"nameservers go before the devices' own resolvers", "o", "" },
	{ "dns", "wildcard", "on|off", 1, 1, cmd_dns_switch,
		"names below a device's name are that device", "o", "" },
	{ "dns", "certificates", "on|off", 1, 1, cmd_dns_switch,
		"devices are told that they may have one for their name", "o", "" },
	{ "dns", "preview", "NAME [NODE]", 1, 2, cmd_dns_preview,
		"who answers it, on any device or on this one", "-n", "" },
	{ "policy", "get", "", 0, 0, cmd_policy_get, "prints the one in force", "", "" },
	{ "policy", "set", "FILE [--force]", 1, 1, cmd_policy_set,
		"checked and tested first; - reads standard input", "f", "force" },
	{ "policy", "check", "FILE", 1, 1, cmd_policy_check, "would it be taken?", "f", "" },
	{ "policy", "preview", "FILE", 1, 1, cmd_policy_preview,
		"what it would change, device by device", "f", "" },
	{ "policy", "can", "SRC DST:PORT [--proto NAME]", 2, 2, cmd_policy_can,
		"may it reach that, and by which rule? A device, USER@, tag:NAME", "nn", "proto" },
	{ "policy", "status", "", 0, 0, cmd_policy_status,
		"which one is in force, and how it stands with Git", "", "" },
	{ "policy", "versions", "", 0, 0, cmd_policy_versions, "those that are kept", "", "" },
	{ "policy", "show", "N", 1, 1, cmd_policy_show, "prints that version", "-", "" },
	{ "policy", "diff", "N [M]", 1, 2, cmd_policy_diff,
		"from that version to another one, or to that in force", "-", "" },
	{ "policy", "rollback", "N [--force]", 1, 1, cmd_policy_rollback,
		"makes that version the newest one", "-", "force" },
	{ "policy", "pull", "", 0, 0, cmd_policy_pull, "look into the Git repository now", "", "" },
	{ "tokens", "list", "", 0, 0, cmd_tokens_list, "of programs that use the API", "", "" },
	{ "tokens", "create", "[NAME] [flags]", 0, 1, cmd_tokens_create, "prints it, once", "-",
		"scope expiry" },
	{ "tokens", "revoke", "ID", 1, 1, cmd_token_revoke, "nothing is let in with it any more",
		"-", "" },
	{ "tokens", "delete", "ID", 1, 1, cmd_token_delete,
		"the same, and it is not listed any more", "-", "" },
	{ "sessions", "list", "", 0, 0, cmd_sessions_list, "browsers that are logged in", "", "" },
	{ "sessions", "end", "ID", 1, 1, cmd_session_end, "logs this one out", "-", "" },
	{ "audit", "list", "[TEXT] [flags]", 0, 1, cmd_audit_list,
		"who changed what; only entries in which TEXT occurs", "-", "since limit" },
	{ "audit", "export", "FILE [--since TIME]", 1, 1, cmd_audit_export,
		"all of it as JSON, one a line; - is the screen", "f", "since" },
	{ "backup", NULL, "FILE [--state-dir DIR]", 1, 1, cmd_backup,
		"all of the hub in one file; it may be running", "f", "state-dir" },
	{ "restore", NULL, "FILE [--state-dir DIR] [--replace]", 1, 1, cmd_restore,
		"what backup wrote; the hub has to be ended", "f", "state-dir replace" },
	{ "import", "headscale", "CONFIG.YAML [flags]", 1, 1, cmd_import_headscale,
		"its users, devices and keys go on here", "f", "state-dir dry-run policy owner" },
	{ "console", NULL, "[flags]", 0, 0, cmd_console,
		"a link to the console, and its picture for a phone", "", "next user" },
	{ "login", NULL, "[flags]", 0, 0, cmd_login, "a link that logs a browser in", "",
		"next qr user" },
	{ 0 },
};

static const char common_flags[] = "json socket help h";

/* "nodes list", "status" */
static const char *path_of(const struct command *k, char out[static LINE_LEN])
{
	snprintf(out, LINE_LEN, "%s%s%s", k->group, k->verb ? " " : "", k->verb ? k->verb : "");
	return out;
}

static void print_one(const struct command *k)
{
	char left[2 * LINE_LEN], path[LINE_LEN];

	snprintf(left, sizeof(left), "%s %s", path_of(k, path), k->args);
	printf("  %-38s  %s\n", left, k->text);
}

void hubctl_help(void)
{
	for (const struct command *k = command_table; k->group; k++)
		print_one(k);
}

static bool lists(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p += len)
		if ((p == words || p[-1] == ' ') && (!p[len] || p[len] == ' '))
			return true;
	return false;
}

bool command_takes(const struct command *k, const char *flag)
{
	return lists(common_flags, flag) || (k && lists(k->flags, flag));
}

/* A verb may be of two words. The last one may be left out where it is "list". */
static bool is_named(const struct command *k, const char *const *words, size_t n)
{
	const char *verb = k->verb;

	if (!n || strcmp(k->group, words[0]) != 0)
		return false;
	for (size_t i = 1; verb; i++) {
		const char *word = i < n ? words[i] : "list";
		size_t len = strcspn(verb, " ");

		if (strlen(word) != len || memcmp(word, verb, len) != 0)
			return false;
		verb = verb[len] ? verb + len + 1 : NULL;
	}
	return true;
}

const struct command *command_find(const char *const *words, size_t n)
{
	for (const struct command *k = command_table; k->group; k++)
		if (is_named(k, words, n))
			return k;
	return NULL;
}

size_t command_words(const struct command *k)
{
	return !k->verb ? 1 : strchr(k->verb, ' ') ? 3 : 2;
}

static bool group_exists(const char *name)
{
	for (const struct command *k = command_table; k->group; k++)
		if (!strcmp(k->group, name))
			return true;
	return false;
}

/* verb: the first of two words; NULL: all of the group. */
static void help_of_group(const char *group, const char *verb)
{
	size_t len = verb ? strlen(verb) : 0;

	printf("Usage: warren-hub %s%s%s COMMAND [flags]\n\nCommands:\n", group, verb ? " " : "",
		verb ? verb : "");
	for (const struct command *k = command_table; k->group; k++)
		if (!strcmp(k->group, group) &&
			(!verb || (!strncmp(k->verb, verb, len) && k->verb[len] == ' ')))
			print_one(k);
	printf("\nFlags:\n");
	hub_options_help_of(command_takes, NULL);
}

static void help_of_command(const struct command *k)
{
	char path[LINE_LEN];

	printf("Usage: warren-hub %s %s\n\n  %s\n\nFlags:\n", path_of(k, path), k->args, k->text);
	hub_options_help_of(command_takes, k);
}

static void consider(const char *word, const char *name, int *best, const char **meant)
{
	int k = near_distance(word, strlen(word), name);

	if (k >= *best)
		return;
	*best = k;
	*meant = name;
}

static int say_unknown(const struct hub_options *o)
{
	const char *group = o->word[0], *meant = NULL;
	bool known = group_exists(group), two = o->n_words > 2;
	char typed[LINE_LEN];
	int best = NEAR_FAR;

	/* As much of it as could be a verb of two words. */
	snprintf(typed, sizeof(typed), "%s%s%s", o->n_words > 1 ? o->word[1] : "list",
		two ? " " : "", two ? o->word[2] : "");

	for (const struct command *k = command_table; k->group; k++) {
		if (!known)
			consider(group, k->group, &best, &meant);
		else if (k->verb && !strcmp(k->group, group) && o->n_words > 1)
			consider(two && strchr(k->verb, ' ') ? typed : o->word[1], k->verb, &best,
				&meant);
	}
	if (!known)
		consider(group, "serve", &best, &meant);
	if (known && meant)
		cmd_fail("there is no \"%s %s\"; did you mean \"%s %s\"?", group,
			strchr(meant, ' ') ? typed : o->word[1], group, meant);
	else if (known)
		cmd_fail("there is no \"%s %s\"; \"warren-hub %s --help\" lists what there is",
			group, o->n_words > 1 ? o->word[1] : "list", group);
	else if (meant)
		cmd_fail("there is no command \"%s\"; did you mean \"%s\"?", group, meant);
	else
		cmd_fail("there is no command \"%s\"; \"warren-hub --help\" lists all", group);
	return 2;
}

/* A flag that the command has no use for is a mistake and not nothing. */
static int check_flags(const struct command *k, const struct hub_options *o)
{
	char path[LINE_LEN];

	for (size_t i = 0; i < o->n_given; i++) {
		if (command_takes(k, o->given[i]))
			continue;
		cmd_fail("--%s is nothing for \"%s\"; \"warren-hub %s --help\" lists what is",
			o->given[i], path_of(k, path), path);
		return 2;
	}
	return 0;
}

static int run(const struct command *k, const struct hub_options *o)
{
	struct cmd c = { .o = o };
	int rc;

	arena_init(&c.mem, ANSWER_MEM_MAX);
	buf_init(&c.in, ADMIN_ANSWER_MAX);
	rc = k->fn(&c);
	buf_fini(&c.in);
	arena_fini(&c.mem);
	return rc;
}

int hubctl_run(const struct hub_options *o)
{
	const struct command *k = command_find(o->word, o->n_words);
	size_t n_args = o->n_words - MIN_OF(o->n_words, k ? command_words(k) : 1);
	char path[LINE_LEN];

	if (o->help && group_exists(o->word[0]) && (!k || o->n_words < command_words(k))) {
		help_of_group(o->word[0], k && o->n_words > 1 ? o->word[1] : NULL);
		return 0;
	}
	if (!k)
		return say_unknown(o);
	if (o->help) {
		help_of_command(k);
		return 0;
	}
	if (n_args < k->n_min || n_args > k->n_max) {
		cmd_fail("usage: warren-hub %s %s", path_of(k, path), k->args);
		return 2;
	}
	return check_flags(k, o) ? 2 : run(k, o);
}
