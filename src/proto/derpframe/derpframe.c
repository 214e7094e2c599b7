#include "proto/derpframe/derpframe.h"

#include <errno.h>

const uint8_t derp_magic[DERP_MAGIC_LEN] = { 'D', 'E', 'R', 'P', 0xf0, 0x9f, 0x94, 0x91 };

static const struct json_field client_info_fields[] = {
	JSON_F(struct derp_client_info, mesh_key, "meshKey", json_str, JSON_OMIT),
	JSON_F(struct derp_client_info, version, "version", json_int, JSON_OMIT),
	JSON_F(struct derp_client_info, can_ack_pings, "CanAckPings", json_bool, 0),
	JSON_F(struct derp_client_info, is_prober, "IsProber", json_bool, JSON_OMIT),
	JSON_END,
};
JSON_OBJECT_TYPE(derp_client_info_type, struct derp_client_info, client_info_fields);

static const struct json_field server_info_fields[] = {
	JSON_F(struct derp_server_info, version, "version", json_int, JSON_OMIT),
	JSON_F(struct derp_server_info, bytes_per_second, "TokenBucketBytesPerSecond", json_int,
		JSON_OMIT),
	JSON_F(struct derp_server_info, bytes_burst, "TokenBucketBytesBurst", json_int, JSON_OMIT),
	JSON_END,
};
JSON_OBJECT_TYPE(derp_server_info_type, struct derp_server_info, server_info_fields);

int derpframe_next(const uint8_t *p, size_t len, size_t max, struct derpframe *ret)
{
	struct cur c = cur_over(p, len);
	struct derpframe f = { .type = cur_u8(&c), .len = cur_be32(&c) };

	if (c.bad)
		return DERPFRAME_MORE;
	*ret = f;
	if (f.len > max)
		return -ERR_TOO_BIG;
	ret->payload = cur_take(&c, f.len);
	return c.bad ? DERPFRAME_MORE : 0;
}

void derpframe_header(
	uint8_t out[static DERP_HEADER_LEN], enum derpframe_type type, size_t payload_len)
{
	out[0] = (uint8_t)type;
	store_be32(out + 1, (uint32_t)payload_len);
}

/* A frame whose payload is an optional clear key and a sealed JSON document. */
static int put_sealed(struct buf *out, enum derpframe_type type, const uint8_t *clear_key,
	const struct box_shared *k, struct rng *rng, const struct json_type *t, const void *doc)
{
	size_t clear = clear_key ? KEY_LEN : 0, n;
	uint8_t nonce[BOX_NONCE_LEN], *to;
	struct buf plain;
	int rc;

	buf_init_secret(&plain, DERP_CLIENT_INFO_MAX);
	rc = json_encode(t, doc, &plain);
	n = clear + buf_len(&plain) + BOX_OVERHEAD;
	if (rc == 0)
		rc = buf_reserve(out, DERP_HEADER_LEN + n, &to);
	if (rc == 0) {
		derpframe_header(to, type, n);
		if (clear)
			memcpy(to + DERP_HEADER_LEN, clear_key, KEY_LEN);
		rng_fill(rng, nonce, sizeof(nonce));
		box_seal(k, nonce, buf_data(&plain), buf_len(&plain), to + DERP_HEADER_LEN + clear);
		buf_commit(out, DERP_HEADER_LEN + n);
	}
	buf_fini(&plain);
	return rc;
}

static int get_sealed(const uint8_t *p, size_t len, const struct box_shared *k,
	const struct json_type *t, void *ret, struct arena *a)
{
	uint8_t *plain;
	int rc;

	if (len < BOX_OVERHEAD)
		return -ERR_TRUNCATED;
	plain = arena_alloc(a, len);
	if (!plain)
		return -ENOMEM;
	rc = box_open(k, p, len, plain);
	return rc < 0 ? rc : json_decode(t, plain, len - BOX_OVERHEAD, ret, a, NULL);
}

int derp_client_info_encode(struct buf *out, const uint8_t priv[static KEY_LEN],
	const uint8_t server[static KEY_LEN], struct rng *rng, const struct derp_client_info *info)
{
	struct box_shared k;
	uint8_t pub[KEY_LEN];
	int rc = box_precompute(&k, priv, server);

	if (rc == 0)
		rc = key_public(priv, pub);
	if (rc == 0)
		rc = put_sealed(out, DERP_CLIENT_INFO, pub, &k, rng, &derp_client_info_type, info);
	key_wipe(&k, sizeof(k));
	return rc;
}

int derp_client_info_decode(const uint8_t *payload, size_t len,
	const uint8_t server_priv[static KEY_LEN], struct arena *a, struct node_pub *ret_client,
	struct derp_client_info *ret)
{
	struct cur c = cur_over(payload, len);
	struct box_shared k;
	struct view sealed;
	int rc;

	cur_copy(&c, ret_client->b, KEY_LEN);
	sealed = cur_rest(&c);
	if (c.bad)
		return -ERR_TRUNCATED;
	rc = box_precompute(&k, server_priv, ret_client->b); /* refuses the zero key */
	if (rc == 0)
		rc = get_sealed(sealed.p, sealed.len, &k, &derp_client_info_type, ret, a);
	key_wipe(&k, sizeof(k));
	return rc;
}

int derp_server_info_encode(struct buf *out, const uint8_t priv[static KEY_LEN],
	const uint8_t client[static KEY_LEN], struct rng *rng, const struct derp_server_info *info)
{
	struct box_shared k;
	int rc = box_precompute(&k, priv, client);

	if (rc == 0)
		rc = put_sealed(out, DERP_SERVER_INFO, NULL, &k, rng, &derp_server_info_type, info);
	key_wipe(&k, sizeof(k));
	return rc;
}

int derp_server_info_decode(const uint8_t *payload, size_t len, const uint8_t priv[static KEY_LEN],
	const uint8_t server[static KEY_LEN], struct arena *a, struct derp_server_info *ret)
{
	struct box_shared k;
	int rc = box_precompute(&k, priv, server);

	if (rc == 0)
		rc = get_sealed(payload, len, &k, &derp_server_info_type, ret, a);
	key_wipe(&k, sizeof(k));
	return rc;
}
