/* SPDX-License-Identifier: Apache-2.0 */
#include "box/names.h"

#include "base/auto.h"

#include <stdio.h>

static const char *const adjectives[] = {
	"amber",  "brave",  "brisk",  "calm",	 "clear",  "crisp",  "deft",
	"eager",  "early",  "fair",   "fine",	 "fleet",  "fresh",  "gentle",
	"glad",	  "golden", "grand",  "green",	 "happy",  "humble", "jolly",
	"keen",	  "kind",   "light",  "lively",	 "lucid",  "mellow", "merry",
	"mild",	  "neat",   "nimble", "patient", "plain",  "proud",  "quick",
	"quiet",  "rapid",  "ready",  "round",	 "rustic", "sharp",  "silent",
	"silver", "simple", "smooth", "snug",	 "solid",  "steady", "sturdy",
	"subtle", "sunny",  "swift",  "tidy",	 "tough",  "vivid",  "warm",
	"wise",	  "witty",  "young",  "zesty",
};

/* Vessels of glass and what is kept in them. */
static const char *const nouns[] = {
	"ampoule",  "arnica",  "balm",	 "basil",    "beaker",	"borage",
	"bottle",   "camphor", "carafe", "cedar",    "clove",	"cruet",
	"decanter", "elixir",  "ether",	 "fennel",   "flagon",	"flask",
	"funnel",   "ginger",  "goblet", "hyssop",   "iodine",	"jasmine",
	"juniper",  "kettle",  "laurel", "lavender", "lotion",	"mallow",
	"menthol",  "mint",    "mortar", "myrrh",    "nectar",	"nutmeg",
	"oregano",  "pestle",  "phial",	 "pipette",  "quinine", "retort",
	"rosemary", "saffron", "sage",	 "salve",    "sorrel",	"still",
	"stopper",  "syrup",   "thyme",	 "tincture", "tonic",	"tumbler",
	"valerian", "vervain", "vessel", "willow",   "yarrow",	"zinc",
};

void names_make(uint32_t seed, char *out, size_t size)
{
	snprintf(out, size, "%s_%s", adjectives[seed % ARRAY_LEN(adjectives)],
		 nouns[seed / ARRAY_LEN(adjectives) % ARRAY_LEN(nouns)]);
}
