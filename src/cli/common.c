/* What commands share: calls, errors, names. */
#include "cli/cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- errors ---- */

int cli_fail(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return 1;
}

static void print_command(const struct cli *c)
{
	for (int i = 1; i < c->argc; i++)
		fprintf(stderr, " %s", c->argv[i]);
}

int cli_fail_api(const struct cli *c, const char *before, int rc, const struct lclient_err *err)
{
	fflush(stdout);
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		fprintf(stderr,
			"failed to connect to local warrend; it doesn't appear to be running\n"
			"(nobody answers at %s)\nStart it with 'sudo systemctl start warrend' or 'sudo warrend &'.\n",
			c->api.socket);
		return 1;
	}
	if (rc == -ETIMEDOUT) {
		fprintf(stderr, "%swarrend at %s does not answer in time\n", before, c->api.socket);
		return 1;
	}
	fprintf(stderr, "%s%s\n", before, err->text[0] ? err->text : err_text(rc));
	if ((rc == -ERR_DENIED || rc == -EACCES) && geteuid() != 0) {
		fputs("\nUse 'sudo warren", stderr);
		print_command(c);
		fputs("'.\nTo not require root, use 'sudo warren set --operator=$USER' once.\n",
			stderr);
	}
	return 1;
}

bool cli_no_args(const struct cli *c, int argc, char **argv)
{
	if (!argc)
		return true;
	fputs("too many non-flag arguments: [", stderr);
	for (int i = 0; i < argc; i++)
		fprintf(stderr, "%s\"%s\"", i ? " " : "", argv[i]);
	fputs("]\n", stderr);
	return false;
}

/* ---- calls ---- */

void cli_note_version(struct cli *c)
{
	if (c->warned_of_version || !c->api.server_version[0] ||
		strcmp(c->api.server_version, WARREN_VERSION) == 0)
		return;
	c->warned_of_version = true;
	fprintf(stderr, "Warning: client version \"%s\" != warrend server version \"%s\"\n",
		WARREN_VERSION, c->api.server_version);
}

bool cli_get_doc(struct cli *c, const char *path, const struct json_type *t, void *ret)
{
	struct lclient_err err;
	int rc = lclient_get(&c->api, path, t, ret, &c->arena, &err);

	cli_note_version(c);
	if (rc < 0)
		cli_fail_api(c, "", rc, &err);
	return rc == 0;
}

bool cli_get_status(struct cli *c, bool peers, struct ipn_status *ret)
{
	if (!cli_get_doc(c, peers ? "status" : "status?peers=false", &ipn_status_type, ret))
		return false;
	if (!ret->self)
		ret->self = arena_new(&c->arena, struct ipn_peer_status);
	return ret->self != NULL;
}

bool cli_post(struct cli *c, const char *method, const char *path, const struct buf *body, int want,
	struct buf *out)
{
	const struct lclient_request q = { .method = method,
		.path = path,
		.want = want,
		.body = body ? buf_view(body) : view_of("", 0),
		.headers = body ? "Content-Type: application/json\r\n" : NULL };
	struct lclient_err err;
	struct buf dropped;
	int rc;

	buf_init(&dropped, LCLIENT_ANSWER_MAX);
	rc = lclient_call(&c->api, &q, out ? out : &dropped, &err);
	buf_fini(&dropped);
	cli_note_version(c);
	if (rc < 0)
		cli_fail_api(c, "", rc, &err);
	return rc == 0;
}

bool cli_edit_prefs(struct cli *c, const struct ipn_masked_prefs *edit)
{
	struct buf body;
	bool ok;

	buf_init(&body, 1 << 20);
	ok = json_encode(&ipn_masked_prefs_type, edit, &body) == 0
		     ? cli_post(c, "PATCH", "prefs", &body, 200, NULL)
		     : cli_fail(c, "the settings are too long") == 0;
	buf_fini(&body);
	return ok;
}

bool cli_print_json(struct cli *c, const char *path, const char *indent, const char *end)
{
	struct buf body, laid_out, plain;
	bool ok;

	buf_init(&body, LCLIENT_ANSWER_MAX);
	buf_init(&laid_out, LCLIENT_ANSWER_MAX);
	buf_init(&plain, 2 * LCLIENT_ANSWER_MAX);
	ok = cli_post(c, "GET", path, NULL, 200, &body);
	if (ok && ((indent && json_indent(buf_view(&body), "", indent, &laid_out) < 0) ||
			  json_escape_hidden(buf_view(indent ? &laid_out : &body), &plain) < 0))
		ok = cli_fail(c, "the answer is too long") == 0;
	if (ok && buf_len(&plain))
		fwrite(buf_data(&plain), 1, buf_len(&plain), stdout);
	if (ok)
		fputs(end, stdout);
	buf_fini(&plain);
	buf_fini(&laid_out);
	buf_fini(&body);
	return ok;
}

/* ---- texts ---- */

const char *cli_text_or(const char *s, const char *otherwise)
{
	return s && *s ? s : otherwise;
}

const char *cli_ago(struct cli *c, unix_ms at)
{
	unix_ms now = (unix_ms)time(NULL) * 1000;
	char text[TIME_WORDS_MAX];

	/* A minute at least, as the original counts. */
	time_format_short(MIN_OF(at, now - 60 * 1000), now, text);
	return cli_text_or(arena_strdup(&c->arena, text), "");
}

bool cli_only_wants_login(const char *health_text)
{
	static const char expired[] = "The key of this device has expired.";

	return strcmp(health_text, "You are logged out.") == 0 ||
	       strcmp(health_text, "Warren is stopped.") == 0 ||
	       strcmp(health_text, "Tailscale is stopped.") == 0 ||
	       strncmp(health_text, expired, sizeof(expired) - 1) == 0;
}

/*
 * Why a login is wanted: a key that has expired is told from a login that never was. Not since when: a hub may say a day too much,
 * so that a device with a slow clock believes it.
 */
static const char *login_wanted(struct cli *c, const struct ipn_status *s)
{
	const char *url = cli_text_or(s->auth_url, ""), *why = "Logged out.";

	if (s->have_node_key && s->self && s->self->expired)
		why = "Logged out: the key of this device has expired.\nRun 'warren up' to log in again.";
	return *url ? arena_printf(&c->arena, "%s\nLog in at: %s", why, url) : why;
}

const char *cli_state_text(struct cli *c, const struct ipn_status *s)
{
	enum ipn_state state;

	if (ipn_state_parse(cli_text_or(s->backend_state, "NoState"), &state) < 0)
		state = IPN_NO_STATE;
	switch (state) {
	case IPN_STOPPED:
		return "Warren is stopped.";
	case IPN_NEEDS_LOGIN:
		return login_wanted(c, s);
	case IPN_NEEDS_MACHINE_AUTH:
		return "Machine is not yet approved by tailnet admin.";
	case IPN_RUNNING:
	case IPN_STARTING:
		return NULL;
	case IPN_NO_STATE:
	case IPN_IN_USE_OTHER_USER:
		break;
	}
	return arena_printf(
		&c->arena, "unexpected state: %s", cli_text_or(s->backend_state, "none"));
}

bool cli_is_running(struct cli *c, const struct ipn_status *s)
{
	const char *text = cli_state_text(c, s);

	if (text)
		printf("%s\n", text);
	return !text;
}

const char *cli_ip_text(struct cli *c, struct ipaddr ip)
{
	char text[IPADDR_TEXT_MAX];

	return cli_text_or(arena_strdup(&c->arena, ipaddr_format(ip, text)), "");
}

const char *cli_first_ip(struct cli *c, const struct json_list *ips)
{
	return ips->n ? cli_ip_text(c, *JSON_AT(*ips, struct ipaddr, 0)) : "";
}

const char *cli_short_name(struct cli *c, const char *dns_name, const char *suffix)
{
	char *s = arena_strdup(&c->arena, cli_text_or(dns_name, ""));
	size_t n = s ? strlen(s) : 0, k = suffix ? strlen(suffix) : 0;

	if (n && s[n - 1] == '.')
		s[--n] = 0;
	if (k && n > k + 1 && s[n - k - 1] == '.' && strcmp(s + n - k, suffix) == 0)
		s[n - k - 1] = 0;
	return s ? s : "";
}

const char *cli_join(struct cli *c, const struct json_list *texts, const char *between)
{
	const char *out = "";

	for (size_t i = 0; i < texts->n && out; i++)
		out = arena_printf(&c->arena, "%s%s%s", out, i ? between : "",
			*JSON_AT(*texts, const char *, i));
	return out ? out : "";
}

const char *cli_escape(struct cli *c, const char *s)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:";
	char *out = arena_alloc(&c->arena, 3 * strlen(s) + 1), *o = out;

	for (; out && *s; s++)
		o += *s && strchr(plain, *s) ? sprintf(o, "%c", *s)
					     : sprintf(o, "%%%02x", (unsigned char)*s);
	return out ? out : "";
}

bool cli_ask(const char *question, bool by_default)
{
	char line[64];

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return by_default;
	printf("%s %s ", question, by_default ? "[Y/n]" : "[y/N]");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return by_default;
	line[strcspn(line, "\r\n")] = 0;
	if (!*line)
		return by_default;
	return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0 ||
	       strcasecmp(line, "sure") == 0;
}

long long cli_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- devices ---- */

static bool has_ip(const struct ipn_peer_status *p, struct ipaddr ip)
{
	for (size_t i = 0; i < p->tailscale_ips.n; i++)
		if (ipaddr_eq(*JSON_AT(p->tailscale_ips, struct ipaddr, i), ip))
			return true;
	return false;
}

const struct ipn_peer_status *cli_peer_by_ip(const struct ipn_status *s, struct ipaddr ip)
{
	if (has_ip(s->self, ip))
		return s->self;
	for (size_t i = 0; i < s->peer.n; i++)
		if (has_ip(s->peer.v[i].value, ip))
			return s->peer.v[i].value;
	return NULL;
}

static bool is_called(const struct ipn_peer_status *p, const char *name)
{
	const char *full = cli_text_or(p->dns_name, "");
	size_t n = strlen(name), label = strcspn(full, ".");

	if (n && name[n - 1] == '.')
		return strcasecmp(full, name) == 0;
	return (label == n && strncasecmp(full, name, n) == 0) ||
	       (strlen(full) == n + 1 && strncasecmp(full, name, n) == 0 && full[n] == '.');
}

/* The system's resolver, for names that are not of the network. */
static bool look_up(struct cli *c, const char *name, struct ipaddr *ret)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	int rc = getaddrinfo(name, NULL, &hints, &list);

	if (rc != 0)
		return cli_fail(c, "error looking up IP of \"%s\": %s", name, gai_strerror(rc)) ==
		       0;
	if (list->ai_family == AF_INET)
		*ret = ipaddr_from4(
			(const uint8_t *)&((const struct sockaddr_in *)(const void *)list->ai_addr)
				->sin_addr);
	else
		*ret = ipaddr_from16(
			(const uint8_t *)&((const struct sockaddr_in6 *)(const void *)list->ai_addr)
				->sin6_addr);
	freeaddrinfo(list);
	return true;
}

bool cli_find_ip(struct cli *c, const char *name, struct ipaddr *ret, bool *ret_self)
{
	const struct ipn_peer_status *p = NULL;
	struct ipn_status s;

	*ret_self = false;
	if (!cli_get_status(c, true, &s))
		return false;
	if (ipaddr_parse(name, strlen(name), ret) == 0) {
		*ret_self = has_ip(s.self, *ret);
		return true;
	}
	for (size_t i = 0; i < s.peer.n && !p; i++)
		if (is_called(s.peer.v[i].value, name))
			p = s.peer.v[i].value;
	if (!p && is_called(s.self, name))
		p = s.self;
	if (!p)
		return look_up(c, name, ret);
	if (!p->tailscale_ips.n)
		return cli_fail(c, "node found but lacks an IP") == 0;
	*ret = *JSON_AT(p->tailscale_ips, struct ipaddr, 0);
	*ret_self = p == s.self;
	return true;
}
