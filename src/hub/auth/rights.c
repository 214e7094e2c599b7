#include "hub/auth/rights.h"
#include "base/bytes/bytes.h"

enum {
	LOOKS = RIGHT_SESSION | RIGHT_SEE,
	AUDITS = LOOKS | RIGHT_LOG,
	ADMINISTERS =
		AUDITS | RIGHT_DEVICES | RIGHT_USERS | RIGHT_NETWORK | RIGHT_POLICY | RIGHT_TOKENS,
};

static const struct {
	const char *role;
	uint64_t rights;
} roles[] = {
	{ "owner", ADMINISTERS | RIGHT_OWNER },
	{ "admin", ADMINISTERS },
	{ "network-admin", AUDITS | RIGHT_NETWORK | RIGHT_POLICY },
	{ "it-admin", AUDITS | RIGHT_DEVICES | RIGHT_USERS },
	{ "billing-admin", LOOKS },
	{ "auditor", AUDITS },
};

static const char *const names[RIGHTS_N] = { "session", "see", "log", "devices", "users", "network",
	"policy", "tokens", "owner", "machine" };

uint64_t rights_of_role(const char *role)
{
	for (size_t i = 0; role && i < ARRAY_LEN(roles); i++)
		if (!strcmp(roles[i].role, role))
			return roles[i].rights;
	return RIGHT_SESSION;
}

size_t rights_names(uint64_t rights, const char *ret[static RIGHTS_N])
{
	size_t n = 0;

	for (size_t i = 0; i < RIGHTS_N; i++)
		if (rights & (uint64_t)1 << i)
			ret[n++] = names[i];
	return n;
}
