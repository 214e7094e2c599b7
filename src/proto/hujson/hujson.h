/*
 * proto/hujson: JSON as people write policies in it: comments and a comma behind the last member are allowed.
 * The text becomes a tree in an arena, and every value and name knows its line and column, so that whoever
 * judges the content can point at the place.
 *
 * All members of an object are kept, doubled names too: whether that is a fault is for the reader of the
 * document to say. hujson_get takes the last, as Go's JSON does.
 */
#ifndef WARREN_PROTO_HUJSON_HUJSON_H
#define WARREN_PROTO_HUJSON_HUJSON_H

#include "base/arena/arena.h"
#include "base/buf/buf.h"
#include "base/err/err.h"

/* A policy of a large organisation has some hundred kilobytes; the deepest section nests 6 levels. */
enum { HUJSON_MAX = 8 << 20, HUJSON_DEPTH_MAX = 64 };

enum hujson_kind {
	HUJSON_NULL,
	HUJSON_BOOL,
	HUJSON_NUMBER,
	HUJSON_STRING,
	HUJSON_ARRAY,
	HUJSON_OBJECT,
};

struct hujson {
	enum hujson_kind kind;
	unsigned line,
		column; /* of the value's first character, from 1; a column is a character, not a byte */
	unsigned name_line, name_column; /* of the name, in an object */
	const char *name;                /* NULL outside of objects */
	bool yes;                        /* bool */
	const char *text;                /* string: decoded, without NUL inside */
	struct view raw; /* the bytes of the value in the input, comments inside included */
	struct hujson *first,
		*next; /* children of an array or object in their order; the next sibling */
	size_t n;      /* children */
};

/*
 * Reads one whole document. The tree and its texts are in the arena; raw views point into the input.
 * -ERR_BAD_FORMAT, -ERR_TRUNCATED, -ERR_TRAILING, -ERR_TOO_BIG, -ERR_TOO_DEEP, -ENOMEM.
 * at (may be NULL) says where and what to do about it.
 */
MUST_USE int hujson_parse(
	const void *in, size_t len, struct arena *a, struct hujson **ret, struct err_at *at);

/* The last member with exactly this name; NULL when there is none or obj is no object. */
const struct hujson *hujson_get(const struct hujson *obj, const char *name);
/* A whole number. -ERR_BAD_VALUE when v is no number, has a fraction or does not fit. */
MUST_USE int hujson_int(const struct hujson *v, int64_t *ret);
/* "a string", "an object": for messages. */
const char *hujson_kind_text(enum hujson_kind kind);

/*
 * The canonical form, appended: what Tailscale's tools write when they format, byte for byte. A policy's ETag is its hash.
 * Errors of hujson_parse, -ERR_TOO_BIG (out's maximum).
 */
MUST_USE int hujson_format(const void *in, size_t len, struct buf *out, struct err_at *at);
/* The same as plain JSON, appended: comments and commas that JSON forbids become blanks, so each value keeps its place. */
MUST_USE int hujson_standardize(const void *in, size_t len, struct buf *out, struct err_at *at);

#define hujson_for_each(child, parent) \
	for (const struct hujson *child = (parent)->first; child; child = child->next)

#endif
