# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a sentence says that a vehicle is ahead in our lane, or that there is none."""

import re

VEHICLE = (
    r'(?:car|van|truck|lorry|bus|coach|minibus|suv|pickup|vehicle|taxi|hatchback|sedan|estate'
    r'|camper|trailer|semi|tanker|tractor|limousine|wagon|minivan|motorcycle|motorbike'
    r'|motorcyclist|scooter|bicycle|cyclist|queue|traffic)(?! (?:park|stop|shelter|lane))'
)
_ADJECTIVES = 2
"""Words before a vehicle that may say that it is not the one we follow: an oncoming white car."""
# Up to so many words may stand between a vehicle and the word that places it.
_GAP = r"(?:[\w'-]+ ){0,5}?"
_ELSEWHERE = (
    r'(?! (?:(?:and )?(?:close )?(?:on|to|at|along|of us on|of us in) (?:the|our|its) '
    r'(?:far |next |other )?(?:left|right|side|edge|kerb|opposite)'
    r'|(?:of us )?in (?:the|a) (?:next|left|right|other|neighbou?ring|adjacent|centre|middle'
    r'|oncoming|opposite|lane to|lane on|lanes to|lanes on|far)))'
)
_OUR_LANE = r'in (?:our(?: own| left| right| middle| centre| turn\w*)*(?:[\w-]+ )? ?lane|ours)\b'
_FOLLOW = r'(?:follow(?:s|ing)?|tailing|trailing|trail|gaining on|catching up with|behind)'
_LEAD = re.compile(
    rf'\b{_FOLLOW} (?:a|an|the|another|one|two|three|several) {_GAP}{VEHICLE}\b'
    rf'|\b{VEHICLE}e?s? {_GAP}(?:ahead|in front)\b(?: of us)?{_ELSEWHERE}'
    rf'|\b{VEHICLE}e?s? {_GAP}{_OUR_LANE}'
    r'|\bleads? us\b'
)
# Of a vehicle that does one of these, `ahead` says where it is, not that we drive behind it.
_ASIDE = re.compile(
    r'\b(?:oncoming|parked|parks?|cross(?:es|ing)?|across|turn(?:s|ing)?|pass(?:es|ing)?|fac(?:es|ing)'
    r'|approach(?:es)?|comes?|coming|towards?|from side|side street|side road|left lane|right lane'
    r'|next lane|other lanes?|further left|further right|ahead (?:left|right))\b'
)
_NO_LEAD = re.compile(
    r'\bour (?:own |left |right |side |narrow )*(?:lane|road|way|side|path) '
    r'(?:ahead |is |stays |lies |of the road |here )*(?:free|clear|empty|open)\b'
    r'|\bno (?:vehicles?|traffic|cars?|one|other vehicles?|lead\w*) (?:directly |is )?'
    r'(?:ahead|in front|in our lane|in sight|in view)\b'
    r'|\b(?:nothing|nobody) (?:ahead|in front|in our lane)\b'
    r'|\blane (?:ahead )?(?:of us )?(?:is )?to ourselves\b'
    r'|\bwith (?:our lane|the lane ahead|the road ahead) (?:free|clear|empty|open)\b'
)
_NEGATED = re.compile(r'\b(?:no|without|not|nothing|nobody|free of|empty of) (?:[\w-]+ ){0,4}?')


def says_lead(caption: str) -> bool:
    """Whether the sentence says that a vehicle is ahead in our lane."""
    text = _NO_LEAD.sub('; ', _words(caption))
    for clause in re.split(r'[,;.:]| while | but ', text):
        match = _LEAD.search(clause)
        if match is None or _NEGATED.search(clause[: match.end()]):
            continue
        before = ' '.join(clause[: match.start()].split()[-_ADJECTIVES:])
        if not _ASIDE.search(re.sub(_OUR_LANE, '', f'{before} {match.group()}')):
            return True
    return False


def says_no_lead(caption: str) -> bool:
    """Whether the sentence says that nothing is ahead in our lane."""
    return bool(_NO_LEAD.search(_words(caption)))


def _words(caption: str) -> str:
    return ' '.join(caption.lower().split())
