/* Texts of what the daemon answers, and questions to the person. */
#include "cli/common/common.h"

#include <time.h>
#include <unistd.h>

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
