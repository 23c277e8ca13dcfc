"""QR codes as SVG, which pages contain as they are: nothing is fetched, and nothing is left behind."""

from markupsafe import Markup


def qr_code(text: str) -> Markup:
    """The code of a text, dark on white."""
    import segno  # noqa: PLC0415  most processes need none of it

    image = segno.make(text, error="m", micro=False).svg_inline(border=2, dark="#000", light="#fff", omitsize=True)
    return Markup(image)  # noqa: S704  made of numbers alone
