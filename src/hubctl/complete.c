/* What a shell offers behind TAB: devices, users, keys and what waits come from the running hub, if it may be asked. */
#include "hubctl/hubctl.h"
#include "hubctl/internal.h"
#include "hubctl/command.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { IS_FILE = 3, ANSWER_MEM_MAX = 512 << 20 };

static const char *const roles[] = { "member", "auditor", "billing-admin", "network-admin",
	"it-admin", "admin", "owner", NULL };
static const char *const sorts[] = { "id", "name", "address", "user", "state", "seen", "os",
	"client", "created", NULL };
static const char *const switches[] = { "on", "off", NULL };
static const char *const modes[] = { "show", "quarantine", "refuse", NULL };
static const char *const scopes[] = { "policy_file", "policy_file:read", "dns", "dns:read", "all",
	"all:read", NULL };
static const char *const protos[] = { "tcp", "udp", "icmp", "sctp", "gre", "esp", "ah", NULL };
static const char *const lives[] = { "30m", "24h", "90d", "never", NULL };

/* What was typed so far, and what is being typed. */
struct typed {
	const char *word[HUB_WORDS_MAX];
	size_t n;
	const char *flag; /* whose value is being typed, without dashes; NULL: it is a word */
	size_t flag_len;
	const char *now; /* the beginning of it */
	const char *socket;
};

static void read_typed(int argc, char *const argv[], struct typed *t)
{
	*t = (struct typed){ .now = argc ? argv[argc - 1] : "" };
	for (int i = 0; i < argc; i++) {
		const char *w = argv[i], *name = w + 1 + (w[0] == '-' && w[1] == '-'),
			   *eq = strchr(w, '=');
		size_t len = eq ? (size_t)(eq - name) : strlen(name);
		bool last = i + 1 == argc;

		if (w[0] != '-' || !w[1]) {
			if (!last && t->n < HUB_WORDS_MAX)
				t->word[t->n++] = w;
			continue;
		}
		if (hub_option_has_value(name, len) != 1)
			continue;
		if (!eq && last)
			continue; /* the flag itself */
		if ((eq && last) || (!eq && i + 2 == argc)) {
			t->flag = name;
			t->flag_len = len;
			t->now = eq ? eq + 1 : argv[argc - 1];
		}
		if (len == 6 && !memcmp(name, "socket", len))
			t->socket = eq ? eq + 1 : argv[i + 1];
		i += !eq;
	}
}

static void offer(const struct typed *t, const char *text, const char *what)
{
	if (!strncmp(text, t->now, strlen(t->now)))
		printf("%s\t%s\n", text, what ? what : "");
}

static int offer_words(const struct typed *t, const char *const *words)
{
	for (; *words; words++)
		offer(t, *words, NULL);
	return 0;
}

static int ask(struct cmd *c, const char *path, const struct json_type *type, struct json_list *ret)
{
	int rc = cmd_ask(c, "GET", path, NULL);

	*ret = (struct json_list){ 0 };
	if (rc == 0 && !cmd_decode(c, type, ret))
		rc = 1;
	return rc;
}

static int offer_nodes(struct cmd *c, const struct typed *t)
{
	struct json_list l;
	int rc = ask(c, "/nodes", &admin_node_list, &l);

	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		const struct admin_node *n = JSON_AT(l, struct admin_node, i);

		offer(t, n->name, n->tags.n ? cmd_join(c, &n->tags) : n->user);
	}
	return rc;
}

static int offer_users(struct cmd *c, const struct typed *t)
{
	struct json_list l;
	int rc = ask(c, "/users", &admin_user_list, &l);

	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		const struct admin_user *u = JSON_AT(l, struct admin_user, i);

		offer(t, u->name, cmd_count(c, u->nodes, "device"));
	}
	return rc;
}

static int offer_keys(struct cmd *c, const struct typed *t)
{
	struct json_list l;
	int rc = ask(c, "/keys", &admin_key_list, &l);

	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		const struct admin_key *k = JSON_AT(l, struct admin_key, i);

		offer(t, cmd_number(c, k->id),
			arena_printf(&c->mem, "%s %s %s", k->hint,
				k->tags.n ? cmd_join(c, &k->tags)
				: k->user ? k->user
					  : "",
				k->state));
	}
	return rc;
}

static int offer_waiting(struct cmd *c, const struct typed *t)
{
	struct json_list l;
	int rc = ask(c, "/pending", &admin_pending_list, &l);

	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		const struct admin_pending *p = JSON_AT(l, struct admin_pending, i);

		offer(t, p->node ? p->name : p->code, p->hostname);
	}
	return rc;
}

static bool is_any(const char *name, size_t len, const char *a, const char *b)
{
	return (strlen(a) == len && !memcmp(a, name, len)) ||
	       (strlen(b) == len && !memcmp(b, name, len));
}

static int offer_value(struct cmd *c, const struct typed *t)
{
	if (is_any(t->flag, t->flag_len, "user", "move-to"))
		return offer_users(c, t);
	if (is_any(t->flag, t->flag_len, "sort", "sort"))
		return offer_words(t, sorts);
	if (is_any(t->flag, t->flag_len, "mode", "mode"))
		return offer_words(t, modes);
	if (is_any(t->flag, t->flag_len, "scope", "scope"))
		return offer_words(t, scopes);
	if (is_any(t->flag, t->flag_len, "proto", "proto"))
		return offer_words(t, protos);
	if (is_any(t->flag, t->flag_len, "expiry", "expiry"))
		return offer_words(t, lives);
	return is_any(t->flag, t->flag_len, "tag", "tags") ? 0 : IS_FILE;
}

static int offer_argument(struct cmd *c, const struct typed *t, char kind)
{
	switch (kind) {
	case 'n':
		return offer_nodes(c, t);
	case 'u':
		return offer_users(c, t);
	case 'k':
		return offer_keys(c, t);
	case 'w':
		return offer_waiting(c, t);
	case 'r':
		return offer_words(t, roles);
	case 'o':
		return offer_words(t, switches);
	case 'f':
		return IS_FILE;
	default:
		return 0;
	}
}

static int complete(struct cmd *c, const struct typed *t)
{
	const struct command *k = command_find(t->word, t->n);
	size_t first = k ? command_words(k) : 1, at = t->n - MIN_OF(t->n, first);

	if (t->flag)
		return offer_value(c, t);
	if (!k || t->n < first || !*k->kinds || at >= k->n_max)
		return 0;
	return offer_argument(c, t, k->kinds[MIN_OF(at, strlen(k->kinds) - 1)]);
}

/* What is written to stderr would stand in the middle of somebody's line. */
static bool be_quiet(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && dup2(fd, STDERR_FILENO) >= 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

int hubctl_complete(int argc, char *const argv[])
{
	struct hub_options o;
	struct cmd c = { .o = &o };
	struct err_at at;
	struct typed t;
	char *own[] = { (char[]){ "warren-hub" }, NULL };
	int rc;

	read_typed(argc, argv, &t);
	if (!be_quiet() || hub_options_parse(&o, 1, own, &at) < 0)
		return 1;
	if (t.socket)
		o.socket = t.socket;
	arena_init(&c.mem, ANSWER_MEM_MAX);
	buf_init(&c.in, ADMIN_ANSWER_MAX);
	rc = complete(&c, &t);
	buf_fini(&c.in);
	arena_fini(&c.mem);
	hub_options_fini(&o);
	return rc;
}
