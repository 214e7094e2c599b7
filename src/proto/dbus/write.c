#include "proto/dbus/dbus.h"

enum { PATH = 1, INTERFACE = 2, MEMBER = 3, DESTINATION = 6, SIGNATURE = 8 };
enum { BODY_LEN_AT = 4, SERIAL_AT = 8, FIELDS_LEN_AT = 12 };

void dbus_put_raw(struct dbus_out *o, struct view v)
{
	if (!o->bad && buf_append(o->b, v.p, v.len) < 0)
		o->bad = true;
}

void dbus_put_align(struct dbus_out *o, size_t n)
{
	static const uint8_t zero[8];
	size_t at = buf_len(o->b) - o->begin;

	dbus_put_raw(o, view_of(zero, (n - at % n) % n));
}

void dbus_put_u8(struct dbus_out *o, uint8_t v)
{
	dbus_put_raw(o, view_of(&v, 1));
}

void dbus_put_u32(struct dbus_out *o, uint32_t v)
{
	uint8_t b[4];

	store_le32(b, v);
	dbus_put_align(o, 4);
	dbus_put_raw(o, view_of(b, 4));
}

void dbus_put_u64(struct dbus_out *o, uint64_t v)
{
	uint8_t b[8];

	store_le64(b, v);
	dbus_put_align(o, 8);
	dbus_put_raw(o, view_of(b, 8));
}

void dbus_put_bool(struct dbus_out *o, bool v)
{
	dbus_put_u32(o, v);
}

void dbus_put_text(struct dbus_out *o, struct view s)
{
	dbus_put_u32(o, (uint32_t)s.len);
	dbus_put_raw(o, s);
	dbus_put_u8(o, 0);
}

void dbus_put_signature(struct dbus_out *o, const char *s)
{
	size_t n = strlen(s);

	CHECK(n < 256);
	dbus_put_u8(o, (uint8_t)n);
	dbus_put_raw(o, view_of(s, n + 1));
}

/* Lengths are known when what they count is there. */
static void patch(struct dbus_out *o, size_t at, size_t v)
{
	if (!o->bad)
		store_le32(o->b->mem + o->b->head + at, (uint32_t)v);
}

struct dbus_array dbus_put_array(struct dbus_out *o, size_t align)
{
	struct dbus_array a;

	dbus_put_u32(o, 0);
	a.length_at = buf_len(o->b) - 4;
	dbus_put_align(o, align);
	a.first = buf_len(o->b);
	return a;
}

void dbus_put_array_end(struct dbus_out *o, struct dbus_array a)
{
	patch(o, a.length_at, buf_len(o->b) - a.first);
}

static void put_field(struct dbus_out *o, uint8_t code, const char *type, const char *value)
{
	if (!value || !*value)
		return;
	dbus_put_align(o, 8);
	dbus_put_u8(o, code);
	dbus_put_signature(o, type);
	if (*type == 'g')
		dbus_put_signature(o, value);
	else
		dbus_put_text(o, view_of(value, strlen(value)));
}

void dbus_call_begin(struct dbus_out *o, struct buf *b, const struct dbus_method *m, uint8_t flags)
{
	const uint8_t fixed[FIELDS_LEN_AT] = { 'l', DBUS_CALL, flags, 1 };
	struct dbus_array fields;

	*o = (struct dbus_out){ .b = b, .begin = buf_len(b) };
	dbus_put_raw(o, view_of(fixed, sizeof(fixed)));
	fields = dbus_put_array(o, 8);
	put_field(o, PATH, "o", m->path);
	put_field(o, DESTINATION, "s", m->destination);
	put_field(o, INTERFACE, "s", m->interface);
	put_field(o, MEMBER, "s", m->member);
	put_field(o, SIGNATURE, "g", m->signature);
	dbus_put_array_end(o, fields);
	dbus_put_align(o, 8);
	o->body = buf_len(b);
}

int dbus_call_end(struct dbus_out *o, uint32_t serial)
{
	size_t len = buf_len(o->b) - o->begin;

	if (o->bad || len > DBUS_MESSAGE_MAX) {
		buf_truncate(o->b, o->begin);
		return -ERR_TOO_BIG;
	}
	patch(o, o->begin + BODY_LEN_AT, buf_len(o->b) - o->body);
	patch(o, o->begin + SERIAL_AT, serial);
	return 0;
}
