/* Preferences: their tables, defaults and edits. */
#include "proto/ipn/ipn.h"

#include <assert.h>

JSON_POINTER_TYPE(ipn_int_ptr, json_int);

static const struct json_field app_connector_fields[] = {
	JSON_F(struct ipn_app_connector, advertise, "Advertise", json_bool, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(ipn_app_connector_type, struct ipn_app_connector, app_connector_fields);

static const struct json_field auto_update_fields[] = {
	JSON_F(struct ipn_auto_update, check, "Check", json_bool, 0),
	JSON_F(struct ipn_auto_update, apply, "Apply", json_opt_bool, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(auto_update_type, struct ipn_auto_update, auto_update_fields);

static const struct json_field persist_fields[] = {
	JSON_F(struct ipn_persist, node_key, "PrivateNodeKey", json_key_private, 0),
	JSON_F(struct ipn_persist, old_node_key, "OldPrivateNodeKey", json_key_private, 0),
	JSON_F(struct ipn_persist, user, "UserProfile", tc_user_profile_type, 0),
	JSON_F(struct ipn_persist, nl_key, "NetworkLockKey", json_key_nl_private, 0),
	JSON_F(struct ipn_persist, node_id, "NodeID", json_str, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(ipn_persist_type, struct ipn_persist, persist_fields);
static JSON_POINTER_TYPE(persist_ptr, ipn_persist_type);

static const struct json_field prefs_fields[] = {
#define X(id, member, c_type, name, type, flags) \
	JSON_F(struct ipn_prefs, member, name, type, flags),
	IPN_PREFS_HEAD(X) JSON_F(struct ipn_prefs, auto_update, "AutoUpdate", auto_update_type, 0),
	IPN_PREFS_TAIL(X)
#undef X
		JSON_F(struct ipn_prefs, persist, "Config", persist_ptr, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(ipn_prefs_type, struct ipn_prefs, prefs_fields);
static JSON_POINTER_TYPE(prefs_ptr, ipn_prefs_type);

/* Stored in the two last places of set[]. */
struct auto_update_set {
	bool check, apply;
};
static_assert((int)IPN_PREF_AUTO_UPDATE_APPLY == (int)IPN_PREF_AUTO_UPDATE_CHECK + 1,
	"laid out as the struct above");

static const struct json_field auto_update_set_fields[] = {
	JSON_F(struct auto_update_set, check, "CheckSet", json_bool, JSON_OMIT),
	JSON_F(struct auto_update_set, apply, "ApplySet", json_bool, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(auto_update_set_type, struct auto_update_set, auto_update_set_fields);

static const struct json_field masked_fields[] = {
#define X(id, member, c_type, name, type, flags) \
	JSON_F(struct ipn_masked_prefs, p.member, name, type, flags),
	IPN_PREFS_HEAD(X)
		JSON_F(struct ipn_masked_prefs, p.auto_update, "AutoUpdate", auto_update_type, 0),
	IPN_PREFS_TAIL(X)
#undef X
		JSON_F(struct ipn_masked_prefs, p.persist, "Config", persist_ptr, 0),
#define X(id, member, c_type, name, type, flags) \
	JSON_F(struct ipn_masked_prefs, set[IPN_PREF_##id], name "Set", json_bool, JSON_OMIT),
	IPN_PREFS_HEAD(X) JSON_F(struct ipn_masked_prefs, set[IPN_PREF_AUTO_UPDATE_CHECK],
		"AutoUpdateSet", auto_update_set_type, JSON_OMIT),
	IPN_PREFS_TAIL(X)
#undef X
		JSON_END,
};
JSON_OBJECT_TYPE(ipn_masked_prefs_type, struct ipn_masked_prefs, masked_fields);

static const struct json_field options_fields[] = {
	JSON_F(struct ipn_options, frontend_log_id, "FrontendLogID", json_str, 0),
	JSON_F(struct ipn_options, update_prefs, "UpdatePrefs", prefs_ptr, 0),
	JSON_F(struct ipn_options, auth_key, "AuthKey", json_str, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(ipn_options_type, struct ipn_options, options_fields);

void ipn_prefs_init(struct ipn_prefs *p)
{
	*p = (struct ipn_prefs){
		.corp_dns = true,
		.logged_out = true,
		.no_stateful = JSON_YES,
		.netfilter_mode = IPN_NETFILTER_ON,
		.auto_update.check = true,
	};
}

void ipn_prefs_merge(struct ipn_prefs *to, const struct ipn_masked_prefs *edit)
{
#define X(id, member, c_type, name, type, flags) \
	if (edit->set[IPN_PREF_##id]) \
		to->member = edit->p.member;
	IPN_PREFS_HEAD(X)
	IPN_PREFS_TAIL(X)
#undef X
	if (edit->set[IPN_PREF_AUTO_UPDATE_CHECK])
		to->auto_update.check = edit->p.auto_update.check;
	if (edit->set[IPN_PREF_AUTO_UPDATE_APPLY])
		to->auto_update.apply = edit->p.auto_update.apply;
}

bool ipn_prefs_same(const struct ipn_prefs *a, const struct ipn_prefs *b)
{
	struct ipn_prefs x = *a, y = *b;

	x.persist = y.persist = NULL;
	return json_same(&ipn_prefs_type, &x, &y);
}

bool ipn_masked_is_empty(const struct ipn_masked_prefs *m)
{
	for (size_t i = 0; i < IPN_PREF_COUNT; i++)
		if (m->set[i])
			return false;
	return true;
}
