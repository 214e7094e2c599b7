/*
 * proto/json: JSON as the documents of this system use it. Each struct has one table of fields;
 * decoder, encoder and comparison read that table. Decoding goes from bytes straight into an arena,
 * without a tree between.
 *
 * Behaviour follows Go's encoding/json where a peer could tell: the last of duplicate keys wins,
 * unknown keys are skipped, null leaves a field at its zero value, key names match without regard
 * to case, <, > and & are escaped on output. Differences: input must be valid UTF-8, a text may
 * not contain NUL, and characters that are not to be shown (base/text/plain) are escaped on output:
 * no document of ours steers a terminal.
 *
 * Storage by type:
 *   bool -> bool             opt_bool -> uint8_t (JSON_ABSENT, JSON_NO, JSON_YES)
 *   int -> int64_t           u64 -> uint64_t            f64 -> double, never infinite
 *   u16, u31 -> int64_t, from 0 to what Go's uint16, or an int of 32 bits, can hold
 *   str -> const char *      (NULL: absent; in the arena)
 *   raw -> struct view       (the bytes of any value, in the input; absent: len 0)
 *   bytes -> struct view     (base64 on the wire)
 *   key -> uint8_t[32], nlpriv: [64]  time -> unix_ms            ip, ipport, prefix -> base/netip
 *   object -> the struct     pointer -> struct *, NULL when absent or null
 *   list -> struct json_list map -> struct json_map
 */
#ifndef WARREN_PROTO_JSON_JSON_H
#define WARREN_PROTO_JSON_JSON_H

#include "base/arena/arena.h"
#include "base/buf/buf.h"
#include "base/netip/netip.h"
#include "base/time/time.h"
#include "base/err/err.h"
#include "crypto/keys/keys.h"

enum { JSON_DEPTH_MAX = 32 }; /* the deepest document has 9 levels */

enum { JSON_ABSENT = 0, JSON_NO = 1, JSON_YES = 2 };

enum json_kind {
	JK_BOOL,
	JK_OPT_BOOL,
	JK_INT,
	JK_U64,
	JK_F64,
	JK_STR,
	JK_RAW,
	JK_BYTES,
	JK_KEY,
	JK_KEY_NL_PRIVATE,
	JK_TIME,
	JK_IP,
	JK_IPPORT,
	JK_PREFIX,
	JK_OBJECT,
	JK_POINTER,
	JK_LIST,
	JK_MAP,
};

struct json_field;

struct json_type {
	enum json_kind kind;
	size_t size;                     /* of the stored value */
	const struct json_field *fields; /* object */
	const struct json_type *elem;    /* pointer, list, map */
	enum key_kind key;
	size_t elem_max; /* list, map: of an item, as a field's max; 0: JSON_DEFAULT_MAX. int: it is from 0 to this; 0: any */
	size_t fault_at; /* object: offset of a const char *, not its first member; 0: none. See JSON_OBJECT_TYPE_FAULT */
};

enum {
	JSON_OMIT = 1, /* left out when zero (Go: omitempty, omitzero) */
	JSON_EMPTY =
		4, /* with JSON_OMIT: an empty list or map that is present is written, because its
			      reader takes it for another thing than an absent one */
	JSON_NULLABLE = 2, /* an absent text is written as null (Go: a pointer); lists, maps and
			      pointers are so anyway */
};

struct json_field {
	const char *name; /* NULL ends the table */
	const struct json_type *type;
	size_t offset;
	size_t max; /* bytes of a text, items of a list or map; 0: JSON_DEFAULT_MAX */
	unsigned flags;
};

enum { JSON_DEFAULT_MAX = 65536 };

static inline size_t json_elem_max(const struct json_type *t)
{
	return t->elem_max ? t->elem_max : JSON_DEFAULT_MAX;
}

struct json_list {
	void *v; /* elem->size each */
	size_t n;
	bool present; /* [] is present, null and absent are not */
};

struct json_pair {
	const char *key;
	void *value;
};

struct json_map {
	struct json_pair *v; /* in the order of the input */
	size_t n;
	bool present;
};

#define JSON_AT(list, type, i) (&((type *)(list).v)[i])

extern const struct json_type json_bool, json_opt_bool, json_int, json_u16, json_u31, json_u64,
	json_f64, json_str, json_raw, json_bytes, json_time, json_ip, json_ipport, json_prefix,
	json_key_machine, json_key_node, json_key_disco, json_key_nl, json_key_private,
	json_key_nl_private, json_str_list, json_prefix_list, json_ip_list, json_ipport_list,
	json_int_list, json_raw_list, json_str_map, json_raw_list_map, json_f64_map;

#define JSON_OBJECT_TYPE(name, struct_type, table) \
	const struct json_type name = { \
		.kind = JK_OBJECT, .size = sizeof(struct_type), .fields = (table) \
	}
/*
 * In a list, or behind a pointer, one that cannot be read does not spoil what is around it: `member` of the struct, a const char *,
 * then says why (NULL: it was read). Of the rest only what came before the fault is there.
 */
#define JSON_OBJECT_TYPE_FAULT(name, struct_type, table, member) \
	const struct json_type name = { .kind = JK_OBJECT, \
		.size = sizeof(struct_type), \
		.fields = (table), \
		.fault_at = offsetof(struct_type, member) }
#define JSON_POINTER_TYPE(name, elem_type) \
	const struct json_type name = { \
		.kind = JK_POINTER, .size = sizeof(void *), .elem = &(elem_type) \
	}
#define JSON_LIST_TYPE(name, elem_type) \
	const struct json_type name = { \
		.kind = JK_LIST, .size = sizeof(struct json_list), .elem = &(elem_type) \
	}
/* Items may be as large as m: bytes of a text, items of a list. */
#define JSON_MAP_TYPE_MAX(name, elem_type, m) \
	const struct json_type name = { .kind = JK_MAP, \
		.size = sizeof(struct json_map), \
		.elem = &(elem_type), \
		.elem_max = (m) }
#define JSON_MAP_TYPE(name, elem_type) \
	const struct json_type name = { \
		.kind = JK_MAP, .size = sizeof(struct json_map), .elem = &(elem_type) \
	}

#define JSON_F(s, member, key, json_t, fl) \
	{ \
		.name = (key), .type = &(json_t), .offset = offsetof(s, member), .flags = (fl) \
	}
#define JSON_F_MAX(s, member, key, json_t, fl, m) \
	{ \
		.name = (key), .type = &(json_t), .offset = offsetof(s, member), .flags = (fl), \
		.max = (m) \
	}
#define JSON_END \
	{ \
		.name = NULL \
	}

/*
 * Decodes one value of the type into *ret (zeroed first). Texts and lists are in the arena; raw
 * views point into the input. -ERR_BAD_FORMAT, -ERR_BAD_VALUE, -ERR_TOO_BIG, -ERR_TOO_MANY,
 * -ERR_TOO_DEEP, -ERR_TRAILING, -ENOMEM. at (may be NULL) gets line, column and the field.
 */
MUST_USE int json_decode(const struct json_type *t, const void *in, size_t len, void *ret,
	struct arena *a, struct err_at *at);
/* The same for the first value of an input that may go on behind it, as Go's json.Decoder reads. */
MUST_USE int json_decode_first(const struct json_type *t, const void *in, size_t len, void *ret,
	struct arena *a, struct err_at *at);
/*
 * Appends. A value over the limits that json_decode has for the type is refused: -ERR_TOO_BIG,
 * -ERR_TOO_MANY. -ERR_BAD_VALUE: a number that JSON has no word for. -ENOMEM. Bytes of a text that are
 * no UTF-8 become U+FFFD.
 */
MUST_USE int json_encode(const struct json_type *t, const void *value, struct buf *out);
/* A text with quotes and escapes. */
MUST_USE int json_encode_str(struct buf *out, const char *s, size_t len);
MUST_USE int json_encode_hidden(struct buf *out, uint32_t c); /* one character, as its escape */
/* Two values of a type: the same document? One that cannot be encoded is the same as none. */
bool json_same(const struct json_type *t, const void *a, const void *b);
/* A deep copy, all of it in the arena. Errors as json_encode. */
MUST_USE int json_clone(const struct json_type *t, const void *value, void *ret, struct arena *a);
/* Calls fn for each text of a decoded value that is not empty, keys of maps among them; it may change them in place. */
typedef void (*json_text_fn)(void *ctx, char *s);
void json_each_text(const struct json_type *t, void *value, json_text_fn fn, void *ctx);
/* For showing: every text is one plain line (base/text/plain) afterwards. */
void json_make_plain(const struct json_type *t, void *value);
/*
 * A JSON text of somebody else's again, for showing: the same document, with characters that are not to be shown escaped; what can stand
 * in no JSON becomes '?'. -ENOMEM, -ERR_TOO_BIG.
 */
MUST_USE int json_escape_hidden(struct view json, struct buf *out);
/* A whole JSON text again, each level indented by one more `indent`, after every line break but the
 * first: `prefix`. */
MUST_USE int json_indent(struct view json, const char *prefix, const char *indent, struct buf *out);

/* Appends to a map that is being built in the arena; key and value are borrowed. -ENOMEM. */
MUST_USE int json_map_add(struct json_map *m, struct arena *a, const char *key, void *value);
void *json_map_find(const struct json_map *m, const char *key); /* NULL if absent */
void json_map_sort(struct json_map *m); /* bytewise by key, the order in which Go writes maps */
/* Appends room for one zeroed item. NULL without memory. */
void *json_list_add(struct json_list *l, struct arena *a, size_t item_size);
/* Keeps the items that are good, the first max of them, and says how many it took out. */
size_t json_list_keep(struct json_list *l, size_t item_size, size_t max,
	bool (*is_good)(void *ctx, void *item), void *ctx);

static inline struct json_list json_list_of(void *v, size_t n)
{
	return (struct json_list){ .v = v, .n = n, .present = true };
}

#endif
