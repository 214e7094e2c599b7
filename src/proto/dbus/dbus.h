/*
 * proto/dbus: messages of D-Bus, read and written: as much as a client needs that calls methods and hears signals. Descriptors are not passed.
 *
 * Source: the D-Bus specification 0.42, "Message Protocol" and "Type System".
 */
#ifndef WARREN_PROTO_DBUS_DBUS_H
#define WARREN_PROTO_DBUS_DBUS_H

#include "base/buf/buf.h"
#include "base/err/err.h"

enum {
	DBUS_MESSAGE_MAX =
		1 << 20,     /* the specification allows 128 MiB; what we ask for has some kB */
	DBUS_DEPTH_MAX = 32, /* of values within values */
};

enum dbus_kind { DBUS_CALL = 1, DBUS_RETURN = 2, DBUS_ERROR = 3, DBUS_SIGNAL = 4 };
enum { DBUS_NO_REPLY = 1, DBUS_NO_AUTO_START = 2 };

/* ---- reading ---- */

struct dbus_head {
	uint8_t kind; /* enum dbus_kind, or one that is not known: to be left alone */
	uint32_t serial, reply_serial;
	struct view path, interface, member, error, sender, signature; /* empty: not there */
};

/* A body. Offsets count from where values are aligned. A read that does not fit turns bad, and all that follow yield nothing. */
struct dbus_in {
	const uint8_t *p;
	size_t at, len;
	bool big, bad;
};

enum { DBUS_MORE = 1 };
/* The first message of what has come. 0, DBUS_MORE; -ERR_BAD_FORMAT, -ERR_TOO_BIG. Views into p. */
MUST_USE int dbus_parse(const uint8_t *p, size_t len, struct dbus_head *head, struct dbus_in *body,
	size_t *ret_used);

uint8_t dbus_get_u8(struct dbus_in *in);
uint32_t dbus_get_u32(struct dbus_in *in); /* and int32 */
uint64_t dbus_get_u64(struct dbus_in *in);
bool dbus_get_bool(struct dbus_in *in);
struct view dbus_get_text(struct dbus_in *in); /* string, object path */
struct view dbus_get_signature(struct dbus_in *in);
void dbus_get_align(struct dbus_in *in, size_t n); /* 8: a struct or a dict entry begins */
/* An array of elements with this alignment: goes on to the first. Where it ends; for: while (dbus_has(&in, end)) */
size_t dbus_get_array(struct dbus_in *in, size_t align);
bool dbus_has(const struct dbus_in *in, size_t end);
/* Passes over one complete value; takes its type from the signature. */
void dbus_skip(struct dbus_in *in, struct view *signature);

/* ---- writing ---- */

struct dbus_out {
	struct buf *b;
	size_t begin, body; /* offsets in b */
	bool bad;           /* no memory, or more than the buffer may hold */
};

struct dbus_method {
	const char *destination, *path, *interface, *member;
	const char *signature; /* of its arguments */
};

/* Little-endian, behind what b holds, which is an even multiple of 8. */
void dbus_call_begin(struct dbus_out *o, struct buf *b, const struct dbus_method *m, uint8_t flags);
/* The serial is unique among the calls that wait. -ENOMEM, -ERR_TOO_BIG: nothing was appended. */
MUST_USE int dbus_call_end(struct dbus_out *o, uint32_t serial);

void dbus_put_u8(struct dbus_out *o, uint8_t v);
void dbus_put_u32(struct dbus_out *o, uint32_t v);
void dbus_put_u64(struct dbus_out *o, uint64_t v);
void dbus_put_bool(struct dbus_out *o, bool v);
void dbus_put_text(struct dbus_out *o, struct view s);
void dbus_put_signature(struct dbus_out *o, const char *s);
void dbus_put_raw(
	struct dbus_out *o, struct view v); /* values as they were read, from the same alignment */
void dbus_put_align(struct dbus_out *o, size_t n);
/* Returns what dbus_put_array_end wants. */
struct dbus_array {
	size_t length_at, first;
};
struct dbus_array dbus_put_array(struct dbus_out *o, size_t align);
void dbus_put_array_end(struct dbus_out *o, struct dbus_array a);

#endif
