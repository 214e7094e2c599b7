#include "os/ethtool/ethtool.h"

#include "base/bytes/bytes.h"

/* Before the kernel's headers, which define the same. */
#include <net/if.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FEATURES_MAX = 512, /* 66 in Linux 6.18 */
	BLOCKS_MAX = FEATURES_MAX / 32,
};

struct device {
	int fd;
	struct ifreq ifr;
};

static int ask(struct device *d, void *command)
{
	d->ifr.ifr_data = command;
	return ioctl(d->fd, SIOCETHTOOL, &d->ifr) < 0 ? -errno : 0;
}

/* How many features the kernel knows. */
static int count(struct device *d)
{
	union {
		struct ethtool_sset_info head;
		uint8_t room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
	} c = { .head = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1u << ETH_SS_FEATURES } };
	int rc = ask(d, &c);

	if (rc < 0)
		return rc;
	return c.head.data[0] > FEATURES_MAX ? -ERR_TOO_BIG : (int)c.head.data[0];
}

/* A feature's number. */
static int find(struct device *d, const char *feature, int n)
{
	struct ethtool_gstrings *s = calloc(1, sizeof(*s) + (size_t)n * ETH_GSTRING_LEN);
	int rc;

	if (!s)
		return -ENOMEM;
	s->cmd = ETHTOOL_GSTRINGS;
	s->string_set = ETH_SS_FEATURES;
	s->len = (uint32_t)n;
	rc = ask(d, s);
	if (rc == 0)
		rc = -ENOENT;
	for (int i = 0; i < n && rc == -ENOENT; i++)
		if (!strncmp((const char *)s->data + i * ETH_GSTRING_LEN, feature, ETH_GSTRING_LEN))
			rc = i;
	free(s);
	return rc;
}

static int get(struct device *d, int number)
{
	union {
		struct ethtool_gfeatures head;
		uint8_t room[sizeof(struct ethtool_gfeatures) +
			     BLOCKS_MAX * sizeof(struct ethtool_get_features_block)];
	} g = { .head = { .cmd = ETHTOOL_GFEATURES, .size = BLOCKS_MAX } };
	int rc = ask(d, &g);

	return rc < 0 ? rc : (int)(g.head.features[number / 32].active >> (number % 32) & 1);
}

static int set(struct device *d, int number, int n, bool on)
{
	union {
		struct ethtool_sfeatures head;
		uint8_t room[sizeof(struct ethtool_sfeatures) +
			     BLOCKS_MAX * sizeof(struct ethtool_set_features_block)];
	} s = { .head = { .cmd = ETHTOOL_SFEATURES, .size = (uint32_t)(n + 31) / 32 } };
	uint32_t bit = 1u << (number % 32);
	int rc;

	s.head.features[number / 32] =
		(struct ethtool_set_features_block){ .valid = bit, .requested = on ? bit : 0 };
	rc = ask(d, &s);
	if (rc < 0)
		return rc;
	/* The kernel takes the wish, and says only here whether it could be had. */
	rc = get(d, number);
	return rc < 0 ? rc : rc == on ? 0 : -EOPNOTSUPP;
}

static int open_device(struct device *d, const char *ifname, const char *feature, int *ret_n)
{
	int rc;

	*d = (struct device){ 0 };
	if (strlen(ifname) >= sizeof(d->ifr.ifr_name))
		return -ENODEV;
	strcpy(d->ifr.ifr_name, ifname);
	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (d->fd < 0)
		return -errno;
	rc = *ret_n = count(d);
	if (rc >= 0)
		rc = find(d, feature, *ret_n);
	if (rc < 0)
		close(d->fd);
	return rc;
}

int ethtool_feature(const char *ifname, const char *feature)
{
	struct device d;
	int n, rc = open_device(&d, ifname, feature, &n);

	if (rc < 0)
		return rc;
	rc = get(&d, rc);
	close(d.fd);
	return rc;
}

int ethtool_set_feature(const char *ifname, const char *feature, bool on)
{
	struct device d;
	int n, number = open_device(&d, ifname, feature, &n), rc;

	if (number < 0)
		return number;
	rc = get(&d, number);
	if (rc >= 0)
		rc = rc == on ? 0 : set(&d, number, n, on);
	close(d.fd);
	return rc;
}
