/*
 * os/ethtool: features of a network device by the names that `ethtool -k` shows, and `ethtool -K` changes.
 *
 * Source: linux/ethtool.h (ETHTOOL_GSTRINGS, ETHTOOL_GFEATURES, ETHTOOL_SFEATURES).
 */
#ifndef WARREN_OS_ETHTOOL_ETHTOOL_H
#define WARREN_OS_ETHTOOL_ETHTOOL_H

#include "base/err/err.h"

/* 1: on; 0: off; -ENOENT: this kernel has no such feature; -ENODEV: no such device; -errno. */
MUST_USE int ethtool_feature(const char *ifname, const char *feature);
/* Until the device goes. As it is already: no error. -EOPNOTSUPP: the device does not let it be changed; else as above. */
MUST_USE int ethtool_set_feature(const char *ifname, const char *feature, bool on);

#endif
