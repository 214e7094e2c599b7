#include "crypto/bcrypt/bcrypt.h"
#include "crypto/ct/ct.h"

#include <crypt.h>
#include <stdlib.h>

static int digit(char ch)
{
	return ch >= '0' && ch <= '9' ? ch - '0' : -1000;
}

bool bcrypt_hash_is_good(const char *hash)
{
	int cost;

	if (strlen(hash) != BCRYPT_HASH_LEN || memcmp(hash, "$2", 2) != 0 ||
		!strchr("aby", hash[2]) || hash[3] != '$' || hash[6] != '$')
		return false;
	cost = digit(hash[4]) * 10 + digit(hash[5]);
	return cost >= 4 && cost <= BCRYPT_COST_MAX &&
	       strspn(hash + 7,
		       "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") ==
		       BCRYPT_HASH_LEN - 7;
}

bool bcrypt_holds(struct view secret, const char *hash)
{
	char text[BCRYPT_SECRET_MAX + 1];
	struct crypt_data *work; /* 32 KiB: not on the stack */
	const char *made;
	bool holds;

	if (secret.len > BCRYPT_SECRET_MAX || memchr(secret.p, 0, secret.len) ||
		!bcrypt_hash_is_good(hash))
		return false;
	work = calloc(1, sizeof(*work));
	if (!work)
		return false;
	memcpy(text, secret.p, secret.len);
	text[secret.len] = 0;
	made = crypt_rn(text, hash, work, sizeof(*work));
	holds = made && strlen(made) == BCRYPT_HASH_LEN && ct_equal(made, hash, BCRYPT_HASH_LEN);
	ct_wipe(text, sizeof(text));
	ct_wipe(work, sizeof(*work));
	free(work);
	return holds;
}
