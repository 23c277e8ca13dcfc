"""Tax ids, checked by their digits (python-stdnum). Whether they are in use is for a tax office to say."""

from stdnum import get_cc_module
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError as StandardNumberError

from shared.domain.kernel.errors import ValidationError

_EUROPEAN_UNION = "eu_vat"
_NATIONAL = {"gb_vat": ("gb", "vat"), "ch_vat": ("ch", "vat"), "no_vat": ("no", "mva"), "us_ein": ("us", "ein")}
_MORE = {"au_abn": ("au", "abn"), "in_gst": ("in", "gstin"), "ca_bn": ("ca", "bn"), "br_cnpj": ("br", "cnpj")}
TYPES = (_EUROPEAN_UNION, *_NATIONAL, *_MORE)


def checked_tax_id(type_: str, value: str, pointer: str) -> str:
    """The number in its compact form. Raises `ValidationError` for an unknown type, and where its digits are wrong."""
    if type_ not in TYPES:
        raise ValidationError.at(f"{pointer}/type", f"is none of {', '.join(TYPES)}")
    validate = eu_vat.validate
    if type_ != _EUROPEAN_UNION:
        module = get_cc_module(*(_NATIONAL | _MORE)[type_])
        assert module is not None, "a test validates one of each type"  # noqa: S101  narrows
        validate = module.validate
    try:
        return str(validate(value))
    except StandardNumberError:
        raise ValidationError.at(f"{pointer}/value", f"is no valid number of the type {type_}") from None
