/*
 * Settings that are kept and have no effect yet. Who asks for one by a command is refused; a program that sets one is not, as
 * settings are for later too, but health says that nothing follows from it.
 */
#include "core/node/state/state.h"

/* values that ask for something, besides what everybody has who never asked */
static bool wants_ssh(const struct ipn_prefs *p)
{
	return p->run_ssh;
}

static bool wants_web(const struct ipn_prefs *p)
{
	return p->run_web;
}

static bool wants_connector(const struct ipn_prefs *p)
{
	return p->app_connector.advertise;
}

static bool wants_relay(const struct ipn_prefs *p)
{
	return p->relay_port != NULL;
}

static bool wants_relay_at(const struct ipn_prefs *p)
{
	return p->relay_endpoints.n > 0;
}

static bool wants_posture(const struct ipn_prefs *p)
{
	return p->posture_checking;
}

static bool wants_update(const struct ipn_prefs *p)
{
	return p->auto_update.apply == JSON_YES;
}

static const struct row {
	const char *flag, *only, *why;
	bool (*wants)(const struct ipn_prefs
			*p); /* NULL: the default asks for it, and nobody is refused for that */
} rows[] = {
	{ "ssh", "false", "Unable to enable the SSH server; this build has none.", wants_ssh },
	{ "webclient", "false", "this build has no web interface for a device", wants_web },
	{ "advertise-connector", "false", "this build is no app connector", wants_connector },
	{ "relay-server-port", "", "this build does not relay for other devices", wants_relay },
	{ "relay-server-static-endpoints", "", "this build does not relay for other devices",
		wants_relay_at },
	{ "report-posture", "false", "this build does not report its posture", wants_posture },
	{ "auto-update", "false", "Auto-updates are not supported on this platform.",
		wants_update },
	{ "update-check", "false", "this build does not look for updates", NULL },
};

/* The sentences that the original has are used as they are. */
static bool is_sentence(const char *why)
{
	return why[0] >= 'A' && why[0] <= 'Z';
}

int node_check_built(const struct node *a, const struct ipn_prefs *p, struct err_at *at)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* What is kept already does not stand in the way of other changes. */
		if (!rows[i].wants || !rows[i].wants(p) || rows[i].wants(prefs_of(a)))
			continue;
		if (is_sentence(rows[i].why))
			err_at_set(at, 0, 0, "%s", rows[i].why);
		else
			err_at_set(
				at, 0, 0, "--%s is not built yet: %s", rows[i].flag, rows[i].why);
		return -ERR_BAD_VALUE;
	}
	return 0;
}

int node_unbuilt(struct arena *mem, struct json_list *ret)
{
	struct ipn_unbuilt *v = arena_array(mem, ARRAY_LEN(rows), sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		v[i] = (struct ipn_unbuilt){
			.flag = rows[i].flag, .only = rows[i].only, .why = rows[i].why
		};
	*ret = json_list_of(v, ARRAY_LEN(rows));
	return 0;
}

const char *node_without_effect(const struct ipn_prefs *p, struct arena *mem)
{
	const char *text = NULL;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].wants && rows[i].wants(p))
			text = arena_printf(mem, "%s%s--%s (%s)",
				text ? text : "These settings have no effect: ", text ? ", " : "",
				rows[i].flag, rows[i].why);
	return text ? arena_printf(mem, "%s.", text) : NULL;
}
