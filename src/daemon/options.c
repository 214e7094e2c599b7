#include "daemon/options.h"

#include "base/text/text.h"
#include "base/bytes/bytes.h"
#include "term/flags.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define O(flag, member_, kind_, help_) \
	{ \
		.name = flag, .kind = kind_, .help = help_, \
		.member = offsetof(struct daemon_options, member_) \
	}
/* What was given stands in it while it is read; options_parse hands it on to its caller. */
static struct flag options[] = {
	O("bird-socket", bird, FLAG_TEXT, "path of the bird unix socket (not built yet)"),
	O("cleanup", cleanup, FLAG_BOOL, "clean up system state and exit"),
	O("config", config, FLAG_TEXT, "path to config file, or 'vm:user-data' (not built yet)"),
	O("debug", debug, FLAG_TEXT, "listen address ([ip]:port) of optional debug server"),
	O("dns", dns, FLAG_TEXT,
		"what to do about the system's resolver: 'auto', 'resolved', 'resolvconf', 'file' or 'off'"),
	O("encrypt-state", encrypt_state, FLAG_BOOL,
		"encrypt the state file on disk (not built yet)"),
	O("hardware-attestation", attestation, FLAG_BOOL,
		"use hardware-backed keys to bind node identity to this device (not built yet)"),
	O("keep-kill-switch", keep_killswitch, FLAG_BOOL,
		"with --cleanup: what --exit-node-required asked for stays in force"),
	O("no-logs-no-support", no_logs, FLAG_BOOL,
		"disable log uploads (this daemon never uploads any)"),
	O("outbound-http-proxy-listen", http_proxy, FLAG_TEXT,
		"optional [ip]:port to run an outbound HTTP proxy (not built yet)"),
	{ .name = "port",
		.kind = FLAG_INT,
		.min = 0,
		.max = 65535,
		.member = offsetof(struct daemon_options, port),
		.help = "UDP port to listen on for WireGuard and peer-to-peer traffic; 0 means automatically select" },
	O("socket", socket, FLAG_TEXT, "path of the service unix socket"),
	O("socks5-server", socks5, FLAG_TEXT,
		"optional [ip]:port to run a SOCKS5 server (not built yet)"),
	O("state", state, FLAG_TEXT,
		"absolute path of state file; use 'mem:' to not store state and register as an ephemeral node"),
	O("statedir", statedir, FLAG_TEXT,
		"path to directory for storage of config state, the cached map, ..."),
	O("syslog", syslog, FLAG_BOOL, "log to syslog (not built yet)"),
	O("syspolicy-file", syspolicy, FLAG_TEXT, "path to policy file (not built yet)"),
	O("tun", tun, FLAG_TEXT, "tunnel interface name; a comma-separated list is tried in order"),
	{ .name = "verbose",
		.kind = FLAG_INT,
		.min = -INT_MAX,
		.max = INT_MAX,
		.member = offsetof(struct daemon_options, verbose),
		.help = "log verbosity level; 0 is default, 1 or higher are increasingly verbose" },
	O("version", version, FLAG_BOOL, "print version information and exit"),
	{ 0 },
};
#undef O

void options_usage(void)
{
	fprintf(stderr, "Usage of warrend:\n");
	for (const struct flag *f = options; f->name; f++)
		fprintf(stderr, "  -%s%s\n    \t%s\n", f->name,
			f->kind == FLAG_BOOL   ? ""
			: f->kind == FLAG_TEXT ? " string"
					       : " value",
			f->help);
}

/* In the words of Go's flag package, and what may have been meant. */
static int refuse_flag(const struct flags_error *e, struct err_at *at)
{
	char text[512];

	flags_explain_go(e, text, sizeof(text));
	err_at_set(at, 0, 0, "%s%s%s%s", text, e->meant ? "; did you mean -" : "",
		e->meant ? e->meant : "", e->meant ? "?" : "");
	return -ERR_BAD_VALUE;
}

static int parse_argv(struct daemon_options *o, int argc, char *const argv[], struct err_at *at)
{
	struct flags_error e;
	int used, rc;

	rc = flags_parse(&(struct flags){ .table = options }, argc - 1, argv + 1, &used, &e);
	if (rc != 0)
		return rc == FLAGS_HELP ? OPTIONS_DONE : refuse_flag(&e, at);
	if (used < argc - 1 && strcmp(argv[used], "--") != 0) {
		err_at_set(at, 0, 0, "warrend does not take non-flag arguments: [\"%.150s\"]",
			argv[used + 1]);
		return -ERR_UNSUPPORTED;
	}
	flags_store(options, o);
	return 0;
}

/* An environment variable in our own name or in the one that containers and unit files know. "" counts as unset. */
static const char *env(const char *name)
{
	char ours[64];
	const char *v;

	snprintf(ours, sizeof(ours), "WARREN_%s", name);
	v = getenv(ours);
	if (!v || !*v) {
		snprintf(ours, sizeof(ours), "TS_%s", name);
		v = getenv(ours);
	}
	return v && *v ? v : NULL;
}

static int env_u64(const char *name, const char *v, uint64_t max, uint64_t *ret, struct err_at *at)
{
	if (!v || text_u64(v, strlen(v), max, ret) == 0)
		return 0;
	err_at_set(at, 0, 0, "invalid value \"%.80s\" in the environment for %s", v, name);
	return -ERR_BAD_VALUE;
}

static int env_bool(const char *name, bool *ret, struct err_at *at)
{
	const char *v = env(name);

	if (!v || flags_parse_bool(v, ret) == 0)
		return 0;
	err_at_set(at, 0, 0, "invalid boolean environment variable TS_%s value \"%.80s\"", name, v);
	return -ERR_BAD_VALUE;
}

int options_parse(struct daemon_options *o, int argc, char *const argv[], struct err_at *at)
{
	uint64_t verbose = 0;
	const char *port = getenv("PORT");
	int rc;

	*o = (struct daemon_options){ .state = "",
		.statedir = "",
		.socket = DAEMON_SOCKET,
		.tun = DAEMON_TUN,
		.debug = "",
		.config = "",
		.socks5 = "",
		.http_proxy = "",
		.bird = "",
		.syspolicy = "",
		.dns = "",
		.port = DAEMON_PORT };
	rc = env_u64("PORT", port && *port ? port : NULL, 65535, &o->port, at);
	if (rc == 0)
		rc = env_u64("TS_LOG_VERBOSITY", env("LOG_VERBOSITY"), INT_MAX, &verbose, at);
	o->verbose = (int64_t)verbose;
	return rc == 0 ? parse_argv(o, argc, argv, at) : rc;
}

/* ---- What follows ---- */

static int refuse(const char *value, const char *what, struct err_at *at)
{
	if (!*value)
		return 0;
	err_at_set(at, 0, 0, "%s is not built yet", what);
	return -ERR_UNSUPPORTED;
}

static int refuse_missing(const struct daemon_options *o, struct err_at *at)
{
	const struct {
		const char *value, *what;
	} gone[] = {
		{ o->config, "--config" },
		{ o->socks5, "--socks5-server" },
		{ o->http_proxy, "--outbound-http-proxy-listen" },
		{ o->bird, "--bird-socket" },
		{ o->syspolicy, "--syspolicy-file" },
		{ o->encrypt_state ? "yes" : "", "--encrypt-state" },
		{ o->attestation ? "yes" : "", "--hardware-attestation" },
		{ o->syslog ? "yes" : "", "--syslog" },
		{ strncmp(o->state, "kube:", 5) ? "" : "yes", "--state=kube:" },
		{ strncmp(o->state, "arn:", 4) ? "" : "yes", "--state=arn:" },
		{ strncmp(o->state, "tpmseal:", 8) ? "" : "yes", "--state=tpmseal:" },
	};

	for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
		int rc = refuse(gone[i].value, gone[i].what, at);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int path_set(char out[static PATH_MAX], const char *dir, const char *file, struct err_at *at)
{
	if (snprintf(out, PATH_MAX, "%s%s%s", dir, *file ? "/" : "", file) < PATH_MAX)
		return 0;
	err_at_set(at, 0, 0, "path is too long: %.100s", dir);
	return -ERR_BAD_VALUE;
}

/* In a directory: our file, or the one that the daemon we replace left there. */
static int path_in(struct daemon_options *o, const char *dir, struct err_at *at)
{
	static const char theirs[] = "tailscaled.state";
	int rc = path_set(o->state_path, dir, DAEMON_STATE_FILE, at);
	char other[PATH_MAX];

	if (rc == 0 && access(o->state_path, F_OK) != 0 && path_set(other, dir, theirs, at) == 0 &&
		access(other, F_OK) == 0)
		memcpy(o->state_path, other, sizeof(other));
	return rc;
}

/* The directory of an absolute state file is ours to use only if its name says so. */
static int root_of_state(struct daemon_options *o, struct err_at *at)
{
	char dir[PATH_MAX], *slash;

	if (o->state_path[0] != '/')
		return 0;
	memcpy(dir, o->state_path, sizeof(dir));
	slash = strrchr(dir, '/');
	*slash = 0;
	slash = strrchr(dir, '/');
	if (slash && (!strcmp(slash + 1, "warren") || !strcmp(slash + 1, "tailscale")))
		return path_set(o->var_root, dir, "", at);
	return 0;
}

static int settle_paths(struct daemon_options *o, struct err_at *at)
{
	const char *dir = *o->statedir ? o->statedir : getenv("STATE_DIRECTORY");
	int rc;

	if (!strcmp(o->state, "mem:"))
		return 0;
	if (!dir || !*dir)
		dir = *o->state ? "" : DAEMON_STATE_DIR;
	if (*o->state)
		rc = path_set(o->state_path, o->state, "", at);
	else
		rc = path_in(o, dir, at);
	if (rc == 0 && *dir)
		rc = path_set(o->var_root, dir, "", at);
	else if (rc == 0)
		rc = root_of_state(o, at);
	return rc;
}

/* The flag, or the environment where flags are not at hand. */
static int settle_dns(struct daemon_options *o, struct err_at *at)
{
	const char *v = *o->dns ? o->dns : env("DNS");

	if (resolver_choice_parse(v ? v : "auto", &o->dns_choice) == 0)
		return 0;
	err_at_set(at, 0, 0, "--dns is auto, resolved, resolvconf, file or off, not \"%.80s\"", v);
	return -ERR_BAD_VALUE;
}

int options_settle(struct daemon_options *o, struct err_at *at)
{
	bool cached = true;
	int rc = refuse_missing(o, at);

	if (rc == 0 && !*o->socket) {
		err_at_set(at, 0, 0, "--socket is required");
		return -ERR_BAD_VALUE;
	}
	if (rc == 0)
		rc = env_u64("TS_DEBUG_MTU", env("DEBUG_MTU"), 65495, &o->mtu, at);
	if (rc == 0)
		rc = env_bool("NO_LOGS_NO_SUPPORT", &o->no_logs, at);
	if (rc == 0)
		rc = env_bool("USE_CACHED_NETMAP", &cached, at);
	o->no_cached_map = !cached;
	if (rc == 0)
		rc = settle_dns(o, at);
	return rc == 0 ? settle_paths(o, at) : rc;
}
