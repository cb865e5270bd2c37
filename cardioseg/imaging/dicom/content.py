"""What an MR image shows, as far as its header says: which kind of image, of which body part.

A short-axis cine is made of magnitude images of the heart. Phase and velocity images, parameter
maps and images of other organs have the same geometry, and a network would segment them.

Source: DICOM PS3.3 C.8.13.3 (image and frame type), C.8.3.1.1.1 (image type); PS3.16 annex L (body
parts). Makers: Siemens writes M, P, R or I as the third value (software XA: in the private element
(0021,1175)). Philips writes M_FFE, "VELOCITY MAP", "B0 MAP" or B0 as the third value and M, P, R, I
or B0 as the fourth, in enhanced files in each frame's private item (2005,140F). GE writes a number
in (0043,102F): 0 magnitude, 1 phase, 2 real, 3 imaginary.
"""

import re
from typing import Any

from pydicom.dataelem import DataElement

from cardioseg.imaging.dicom.values import Facts, listed, number, words

PHASE = "phase or velocity images"
COMPLEX = "real or imaginary images"
FUNCTIONAL = "functional or echo-planar images"
DIFFUSION = "diffusion images"
B0 = "a B0 map"
MAP = "a parameter map"
KINDS = {
    "P": PHASE, "PHASE": PHASE, "VELOCITY": PHASE, "PHASE CONTRAST M": PHASE,
    "R": COMPLEX, "REAL": COMPLEX, "I": COMPLEX, "IMAGINARY": COMPLEX,
    "FMRI": FUNCTIONAL, "EPI": FUNCTIONAL, "MOSAIC": FUNCTIONAL, "ASL": "perfusion images",
    "PERFUSION": "perfusion images", "DIFFUSION": DIFFUSION, "TRACEW": DIFFUSION, "ADC": DIFFUSION,
    "FA": DIFFUSION, "B0": B0, "FIELD_MAP": B0, "B1": MAP, "T1MAP": MAP, "T2MAP": MAP,
    "LOCALIZER": "a localizer", "SCOUT": "a localizer",
    "PROJECTION IMAGE": "a projection", "MIP": "a projection",
}  # fmt: skip
PREFIXES = {"P_": PHASE, "VELOCITY ": PHASE, "PHASE ": PHASE, "R_": COMPLEX, "I_": COMPLEX}
GE_KINDS = {1: PHASE, 2: COMPLEX, 3: COMPLEX}
GE_RAW_TYPE = 0x0043102F
SIEMENS = "SIEMENS MR SDI 02"
PHILIPS = "Philips MR Imaging DD 005"
# Words of a body part that cannot be a heart. CHEST, THORAX, ABDOMEN and SPINE stay allowed: they
# are common defaults of protocols.
OTHER_PARTS = frozenset({
    "BRAIN", "HEAD", "SKULL", "NECK", "HEADNECK", "FACE", "ORBIT", "EYE", "EAR", "IAC", "PITUITARY",
    "SINUS", "TMJ", "JAW", "CSPINE", "LSPINE", "SSPINE", "SACRUM", "COCCYX", "PELVIS", "HIP",
    "PROSTATE", "BLADDER", "UTERUS", "OVARY", "RECTUM", "KIDNEY", "LIVER", "PANCREAS", "SPLEEN",
    "GALLBLADDER", "BREAST", "KNEE", "LEG", "CALF", "THIGH", "FEMUR", "ANKLE", "FOOT", "TOE",
    "SHOULDER", "ARM", "HUMERUS", "ELBOW", "FOREARM", "HAND", "WRIST", "FINGER", "EXTREMITY",
    "FETUS",
})  # fmt: skip


def kind_of(facts: Facts) -> str:
    """What an image is other than a magnitude image, in words; "" for a magnitude image."""
    own = words(facts, "FrameType") or words(facts, "ImageType")
    values = [*own[2:], *words(facts, "ComplexImageComponent"), *words(facts, "MakersImageType")]
    named = next((kind for kind in map(_kind, values) if kind), "")
    return named or _by_sequence(facts)


def _kind(value: str) -> str:
    if value in KINDS:
        return KINDS[value]
    if value.startswith("B0 "):
        return B0
    prefixed = next((kind for prefix, kind in PREFIXES.items() if value.startswith(prefix)), "")
    return prefixed or (MAP if re.search(r"\bMAP$", value) else "")


def _by_sequence(facts: Facts) -> str:
    if (number(facts, "DiffusionBValue") or 0) > 0:
        return DIFFUSION
    planar = "EP" in words(facts, "ScanningSequence") or words(
        facts, "EchoPlanarPulseSequence"
    ) == ["YES"]
    untriggered = number(facts, "TriggerTime") is None
    if planar and untriggered and number(facts, "NominalCardiacTriggerDelayTime") is None:
        return FUNCTIONAL
    return GE_KINDS.get(int(number(facts, "GERawType") or 0), "")


def makers_facts(sequence: DataElement) -> dict[str, Any]:
    """Image type and trigger time in a maker's private sequence of a frame; {} for others."""
    item = sequence.value[0]
    if sequence.private_creator == PHILIPS and sequence.tag.element & 0xFF == 0x0F:
        time = {"TriggerTime": item.get("TriggerTime")} if "TriggerTime" in item else {}
        return time | {"MakersImageType": words(item, "ImageType")[2:]}
    for element in item:
        if element.private_creator == SIEMENS and element.tag.element & 0xFF == 0x75:
            return {"MakersImageType": listed(element.value)}
    return {}


def body_part(facts: Facts) -> str:
    """The body part where it cannot be the heart, such as "BRAIN"; else "".

    Only words of ``OTHER_PARTS`` are returned, as the attribute may hold any text.
    """
    texts = words(facts, "BodyPartExamined")
    texts += [
        str(region.get("CodeMeaning", "")).upper()
        for region in listed(facts.get("AnatomicRegionSequence"))
    ]
    found = [word for text in texts for word in re.split(r"[^A-Z]+", text) if word in OTHER_PARTS]
    return found[0] if found else ""
