/* The documents of the record, as they are stored and shown. */
#include "hub/audit/audit.h"

static const struct json_field value_fields[] = {
	JSON_F(struct audit_values, before, "before", json_raw, JSON_OMIT),
	JSON_F(struct audit_values, after, "after", json_raw, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(values_type, struct audit_values, value_fields);
static JSON_MAP_TYPE(fields_map, values_type);

static const struct json_field change_fields[] = {
	JSON_F(struct audit_change, kind, "kind", json_str, 0),
	JSON_F(struct audit_change, id, "id", json_int, 0),
	JSON_F(struct audit_change, name, "name", json_str, JSON_OMIT),
	JSON_F(struct audit_change, fields, "fields", fields_map, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(change_type, struct audit_change, change_fields);
static JSON_LIST_TYPE(change_list, change_type);

static const struct json_field entry_fields[] = {
	JSON_F(struct audit_entry, id, "id", json_int, 0),
	JSON_F(struct audit_entry, at, "at", json_time, 0),
	JSON_F(struct audit_entry, by, "by", json_str, 0),
	JSON_F(struct audit_entry, via, "via", json_str, 0),
	JSON_F(struct audit_entry, from, "from", json_ip, JSON_OMIT),
	JSON_F(struct audit_entry, action, "action", json_str, 0),
	JSON_F(struct audit_entry, changes, "changes", change_list, 0),
	JSON_F(struct audit_entry, more, "more", json_int, JSON_OMIT),
	JSON_END,
};
JSON_OBJECT_TYPE(audit_entry_type, struct audit_entry, entry_fields);
