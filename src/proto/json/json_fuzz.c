/* A document with every kind of field: what was decoded encodes to something that decodes to the same, and laid out it stays that. */
#include "proto/json/json.h"
#include "testlib/pair.h"

struct doc {
	bool yes;
	uint8_t maybe;
	int64_t n;
	const char *text;
	struct view bytes;
	uint8_t key[KEY_LEN];
	unix_ms when;
	struct ipport addr;
	struct ipprefix prefix;
	struct json_list texts, raws;
	struct json_map map;
	struct doc *next;
};

static const struct json_field fields[];
static const struct json_type doc_type = {
	.kind = JK_OBJECT, .size = sizeof(struct doc), .fields = fields
};
static JSON_POINTER_TYPE(doc_ptr, doc_type);
static const struct json_field fields[] = {
	JSON_F(struct doc, yes, "b", json_bool, JSON_OMIT),
	JSON_F(struct doc, maybe, "o", json_opt_bool, JSON_OMIT),
	JSON_F(struct doc, n, "i", json_int, JSON_OMIT),
	JSON_F(struct doc, text, "s", json_str, JSON_OMIT),
	JSON_F(struct doc, bytes, "y", json_bytes, JSON_OMIT),
	JSON_F(struct doc, key, "k", json_key_node, JSON_OMIT),
	JSON_F(struct doc, when, "t", json_time, JSON_OMIT),
	JSON_F(struct doc, addr, "a", json_ipport, JSON_OMIT),
	JSON_F(struct doc, prefix, "p", json_prefix, JSON_OMIT),
	JSON_F(struct doc, texts, "l", json_str_list, JSON_OMIT),
	JSON_F(struct doc, raws, "r", json_raw_list, JSON_OMIT),
	JSON_F(struct doc, map, "m", json_str_map, JSON_OMIT),
	JSON_F(struct doc, next, "n", doc_ptr, JSON_OMIT),
	JSON_END,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf out;

	if (!pair_json(&doc_type, data, len))
		return 0;
	buf_init(&out, PAIR_TEXT);
	if (json_indent(view_of(data, len), "", "\t", &out) == 0)
		CHECK(pair_json(&doc_type, buf_data(&out), buf_len(&out)));
	buf_fini(&out);
	return 0;
}
