#include "hub/state/options.h"
#include "base/text/text.h"
#include "core/coord/coord.h"
#include "os/addr/addr.h"
#include "os/file/file.h"
#include "term/flags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 64 * 1024, NAME_LEN_MAX = 48 };
enum { SERVE = 1, COMMAND = 2, HELP_COLUMN = 28 };

#define FLAG(name_, kind_, member_, value_, of_, help_) \
	{ \
		.name = name_, .kind = kind_, .help = help_, .arg = value_, .of = of_, \
		.member = offsetof(struct hub_options, member_) \
	}
#define TEXT(name, member, value, of, help) FLAG(name, FLAG_TEXT, member, value, of, help)
#define LIST(name, member, value, of, help) FLAG(name, FLAG_LIST, member, value, of, help)
#define SWITCH(name, member, of, help) FLAG(name, FLAG_BOOL, member, NULL, of, help)

/* What was given stands in it while it is read; hub_options_parse hands it on to its caller. */
static struct flag options[] = {
	TEXT("state-dir", state_dir, "DIR", SERVE | COMMAND,
		"where the database and keys are kept; default /var/lib/warren-hub"),
	TEXT("listen", listen, "ADDR:PORT", SERVE,
		"of HTTP, or of HTTPS with a certificate; default :8080, with a certificate :443"),
	TEXT("http-listen", http_listen, "ADDR:PORT", SERVE,
		"one more listener without TLS, for captive portal checks; for example :80"),
	TEXT("url", url, "URL", SERVE,
		"how devices reach this hub, for example https://hub.example.org"),
	LIST("also-url", also_url, "URL,...", SERVE,
		"former ones: devices that come by them are told of --url, and stay logged in"),
	TEXT("tls-cert", tls_cert, "FILE", SERVE, "certificate chain in PEM; with --tls-key"),
	TEXT("tls-key", tls_key, "FILE", SERVE, "its private key"),
	TEXT("relay-listen", relay_listen, "ADDR:PORT", SERVE,
		"a TLS port of the relay's own; default :443, else :8443, for an http URL, otherwise and with \"off\" none"),
	TEXT("relay-url", relay_url, "URL", SERVE,
		"where devices find the relay, if not at --url or --relay-listen; \"off\": no relay"),
	TEXT("stun-listen", stun_listen, "ADDR:PORT", SERVE,
		"of STUN, UDP; default :3478; \"off\" for none"),
	TEXT("stun-url", stun_url, "HOST:PORT", SERVE,
		"where devices find STUN, if not at the host of --url; \"off\": nowhere"),
	LIST("trusted-proxy", trusted_proxy, "CIDR,...", SERVE,
		"whose X-Forwarded-For says where a request comes from; default nobody's"),
	SWITCH("proxy-protocol", proxy_protocol, SERVE,
		"connections from a --trusted-proxy begin with the PROXY protocol's header"),
	TEXT("relay-rate", relay_rate, "BYTES", SERVE,
		"that a device may send through the relay a second; default 0: as much as it can"),
	SWITCH("relay-open", relay_open, SERVE,
		"the relay is for devices of other hubs, too; else it is for this hub's own"),
	TEXT("accept-rate", accept_rate, "N", SERVE,
		"devices that may log in or begin to listen a second; the others are told when to come again; default 1000, 0: all"),
	TEXT("memory-max", memory_max, "BYTES", SERVE,
		"that the hub may use, as 512M or 2G: its bounds follow from it; default what its cgroup allows, else 3/4 of the machine's"),
	TEXT("base-domain", base_domain, "NAME", SERVE,
		"devices are NAME.this; default warren.internal"),
	SWITCH("approve-devices", approve_devices, SERVE,
		"devices that join with a key wait for \"nodes approve\", unless the key is pre-approved"),
	TEXT("key-expiry", key_expiry, "TIME", SERVE,
		"people's devices log in again after this; default never"),
	TEXT("audit-keep", audit_keep, "TIME", SERVE,
		"how long the record of changes is kept: 90d, never (for ever); default 400d"),
	TEXT("owner", owner, "NAME", SERVE | COMMAND,
		"serve: first user, made on the first start; default admin; else: which user is the owner"),
	TEXT("packages-dir", packages_dir, "DIR", SERVE,
		"with warren_VERSION_ARCH.deb, which it hands out to the next device"),
	TEXT("policy-git", policy_git, "URL", SERVE,
		"the policy comes from this Git repository, and from nowhere else"),
	TEXT("policy-git-branch", policy_git_branch, "NAME", SERVE, "its branch; default main"),
	TEXT("policy-git-path", policy_git_path, "PATH", SERVE,
		"the file in it; default policy.hujson"),
	TEXT("policy-git-interval", policy_git_interval, "TIME", SERVE,
		"how often it is looked at; default 60s"),
	TEXT("policy-git-protocols", policy_git_protocols, "NAME:...", SERVE,
		"that git may use; default https:ssh"),
	TEXT("policy-git-ssh", policy_git_ssh, "COMMAND", SERVE,
		"git's GIT_SSH_COMMAND, for example \"ssh -i /etc/warren-hub/key\""),
	TEXT("policy-git-secret-file", policy_git_secret_file, "FILE", SERVE,
		"secret of the webhook POST /api/v2/webhook/policy-git; without it there is none"),
	TEXT("user", user, "NAME", SERVE | COMMAND,
		"serve: become this user once the ports are bound; else: whose key, device, devices or login"),
	TEXT("config", config, "FILE", SERVE, "lines NAME=VALUE with the names of these options"),
	TEXT("socket", socket, "FILE", SERVE | COMMAND,
		"of the administration; default /run/warren-hub/hub.sock"),
	SWITCH("json", json, COMMAND, "machine-readable output"),
	SWITCH("reusable", reusable, COMMAND, "keys create: for several devices"),
	SWITCH("ephemeral", ephemeral, COMMAND, "keys create: devices vanish when they go offline"),
	SWITCH("preapproved", preapproved, COMMAND, "keys create: devices need no approval"),
	TEXT("tags", tags, "TAG,...", COMMAND,
		"keys create: devices belong to no person but have these tags"),
	TEXT("expiry", expiry, "TIME", COMMAND,
		"keys create, tokens create: 30m, 24h, 90d or never; default 90d. nodes expire: likewise, from now on"),
	TEXT("scope", scope, "SCOPE", COMMAND,
		"tokens create: policy_file, dns or all, each also with :read; default policy_file"),
	TEXT("proto", proto, "NAME", COMMAND,
		"policy can: tcp, udp, icmp, ... or a number; default tcp"),
	SWITCH("online", online, COMMAND, "nodes list: those that are"),
	SWITCH("offline", offline, COMMAND, "nodes list: those that are"),
	SWITCH("expired", expired, COMMAND, "nodes list: those that have to log in again"),
	SWITCH("waiting", waiting, COMMAND, "nodes list: those that wait for approval"),
	TEXT("tag", tag, "TAG", COMMAND, "nodes list: those with this tag"),
	TEXT("os", os, "NAME", COMMAND,
		"nodes list: those with this system: linux, windows, macOS, iOS, android, ..."),
	TEXT("sort", sort, "FIELD", COMMAND,
		"nodes list: by id, name, address, user, state, seen, os, client or created; default id"),
	SWITCH("reverse", reverse, COMMAND, "nodes list: the other way round"),
	TEXT("move-to", move_to, "USER", COMMAND,
		"users delete: its devices and keys are this user's from now on"),
	TEXT("digest", digest, "DIGEST", COMMAND,
		"nodes approve: of what \"nodes pending CODE\" showed; anything else is refused"),
	SWITCH("yes", yes, COMMAND, "nodes approve: do not ask"),
	SWITCH("unpin", unpin, COMMAND,
		"nodes rename: its name follows what the device calls itself again"),
	SWITCH("with-devices", with_devices, COMMAND, "users delete: its devices are deleted, too"),
	TEXT("mode", mode, "MODE", COMMAND,
		"own-prefixes set: show, quarantine or refuse devices that offer them; default as it is"),
	SWITCH("with-exit-node", with_exit_node, COMMAND,
		"dns nameservers, dns split: they are asked also while a device uses an exit node"),
	LIST("at", at, "ADDRESS,...", COMMAND,
		"dns nameservers, dns split: where https:// and tls:// resolvers with a name are found"),
	TEXT("since", since, "TIME", COMMAND, "audit: of the last 12h, 7d, ...; default all"),
	TEXT("limit", limit, "N", COMMAND, "audit list: at most so many; default 50"),
	SWITCH("dry-run", dry_run, COMMAND, "import: say what would be, and write nothing"),
	TEXT("policy", policy, "FILE", COMMAND, "import: instead of headscale's"),
	SWITCH("replace", replace, COMMAND, "restore: a hub that is there already is kept aside"),
	SWITCH("force", force, COMMAND, "policy set, rollback: although the policy comes from Git"),
	SWITCH("limits", limits, COMMAND,
		"status: what everything may take at most, and takes now"),
	SWITCH("qr", qr, COMMAND, "status, keys create, login: URL or key also as a picture"),
	TEXT("next", next, "PATH", COMMAND, "login: page to go to"),
	SWITCH("help", help, SERVE | COMMAND, "this text"),
	SWITCH("version", version, SERVE | COMMAND, "the version"),
	{ .name = "h",
		.of = SERVE | COMMAND,
		.member = offsetof(struct hub_options, help),
		.hidden = true },
	{ 0 },
};

static int refuse(const struct flags_error *e, struct err_at *at)
{
	char text[512];

	flags_explain(e, "warren-hub", text, sizeof(text));
	err_at_set(at, 0, 0, "%s", text);
	return -ERR_BAD_VALUE;
}

static int give(struct flag *flag, const char *value, struct err_at *at)
{
	struct flags_error e;

	return flags_give(flag, value, &e) < 0 ? refuse(&e, at) : 0;
}

static int parse_argv(struct hub_options *o, int argc, char *const argv[], struct err_at *at)
{
	const struct flags how = { .table = options, .mem = &o->mem };
	struct flags_error e;
	int rc = flags_parse_mixed(
		&how, argc - 1, argv + 1, o->word, HUB_WORDS_MAX, &o->n_words, &e);

	if (rc < 0)
		return refuse(&e, at);
	for (const struct flag *f = options; f->name; f++)
		if (f->is_set && o->n_given < HUB_FLAGS_MAX)
			o->given[o->n_given++] = f->name;
	return 0;
}

static int from_environment(struct err_at *at)
{
	int rc = 0;

	for (struct flag *f = options; f->name && rc == 0; f++) {
		char name[NAME_LEN_MAX];
		const char *value;

		snprintf(name, sizeof(name), "WARREN_HUB_%s", f->name);
		for (char *p = name; *p; p++)
			*p = *p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
		value = f->hidden ? NULL : getenv(name);
		if (value && *value)
			rc = give(f, value, at);
	}
	return rc;
}

static char *trim(char *s)
{
	size_t n;

	while (*s == ' ' || *s == '\t')
		s++;
	n = strlen(s);
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
		s[--n] = 0;
	return s;
}

static int parse_line(const char *config, char *line, unsigned number, struct err_at *at)
{
	char *name = trim(line), *value = strchr(name, '=');
	struct flag *opt;

	if (!*name || *name == '#')
		return 0;
	if (value) {
		*value++ = 0;
		name = trim(name);
		value = trim(value);
	}
	opt = flags_find(options, name, strlen(name));
	if (!opt || opt->hidden || !(opt->of & SERVE) || !value) {
		err_at_set(at, number, 1,
			"%s, line %u: \"%s\" is not NAME=VALUE with the name of an option of serve",
			config, number, name);
		return -ERR_BAD_VALUE;
	}
	return give(opt, value, at);
}

static int from_file(struct hub_options *o, const char *config, struct err_at *at)
{
	struct buf b;
	unsigned number = 0;
	int rc;

	buf_init(&b, FILE_MAX);
	rc = file_read(config, &b);
	if (rc < 0)
		rc = file_explain(config, rc, at);
	if (rc == 0) {
		char *text = arena_strndup(&o->mem, buf_data(&b), buf_len(&b)), *rest = text, *line;

		rc = text ? 0 : -ENOMEM;
		while (rc == 0 && (line = strsep(&rest, "\n")))
			rc = parse_line(config, line, ++number, at);
	}
	buf_fini(&b);
	return rc;
}

static void defaults(struct hub_options *o)
{
#define DEFAULT(member, value) (o->member = o->member ? o->member : (value))
	DEFAULT(state_dir, "/var/lib/warren-hub");
	DEFAULT(listen, o->tls_cert ? ":443" : ":8080");
	DEFAULT(base_domain, "warren.internal");
	DEFAULT(owner, "admin");
	DEFAULT(key_expiry, "never");
	DEFAULT(audit_keep, "400d");
	DEFAULT(relay_rate, "0");
	DEFAULT(accept_rate, "1000");
	DEFAULT(policy_git_branch, "main");
	DEFAULT(policy_git_path, "policy.hujson");
	DEFAULT(policy_git_interval, "60s");
	DEFAULT(policy_git_protocols, "https:ssh");
	DEFAULT(socket, "/run/warren-hub/hub.sock");
#undef DEFAULT
}

static int check_base_domain(const struct hub_options *o, struct err_at *at)
{
	struct err_at why;
	int rc = coord_base_domain_check(o->base_domain, &why);

	if (rc < 0)
		err_at_set(at, 0, 0, "--base-domain: %s", why.text);
	return rc;
}

int hub_options_parse(struct hub_options *o, int argc, char *const argv[], struct err_at *at)
{
	const char *config;
	int rc;

	memset(o, 0, sizeof(*o));
	arena_init(&o->mem, (size_t)4 * FILE_MAX);
	rc = parse_argv(o, argc, argv, at);
	if (rc == 0)
		rc = from_environment(at);
	config = flag_text(options, "config");
	if (rc == 0 && *config)
		rc = from_file(o, config, at);
	flags_store(options, o);
	defaults(o);
	return rc == 0 ? check_base_domain(o, at) : rc;
}

void hub_options_fini(struct hub_options *o)
{
	arena_fini(&o->mem);
}

/* "nodes list: those that are" without what it is for; of "serve: ...; else: ..." the end. */
static const char *text_for_command(const char *text)
{
	const char *other = strstr(text, "else: ");
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz-, ");

	return other ? other + 6 : n && text[n] == ':' ? text + n + 2 : text;
}

void hub_options_help(bool serve)
{
	flags_print_help(options, serve ? SERVE : COMMAND, HELP_COLUMN, stdout);
}

void hub_options_help_of(
	bool (*takes)(const struct command *k, const char *name), const struct command *k)
{
	for (const struct flag *f = options; f->name; f++)
		if (f->of & COMMAND && !f->hidden && takes(k, f->name))
			flags_print_one(f, text_for_command(f->help), HELP_COLUMN, stdout);
}

int hub_option_has_value(const char *name, size_t len)
{
	const struct flag *f = flags_find(options, name, len);

	return f ? f->kind != FLAG_BOOL : -1;
}

const char *hub_options_not_of_serve(const struct hub_options *o)
{
	for (size_t i = 0; i < o->n_given; i++) {
		const struct flag *f = flags_find(options, o->given[i], strlen(o->given[i]));

		if (f && !(f->of & SERVE))
			return f->name;
	}
	return NULL;
}

int hub_listen_parse(const char *s, struct ipport *ret)
{
	return addr_listen_parse(s, ret) < 0 ? -ERR_BAD_VALUE : 0;
}

int hub_url_parse(const char *s, struct url *ret)
{
	const char *path;
	int rc = url_parse(s, ret, &path);

	return rc == 0 && *path && strcmp(path, "/") != 0 ? -ERR_BAD_VALUE : rc;
}
