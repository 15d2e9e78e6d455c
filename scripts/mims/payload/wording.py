"""Sensible text for a field, by its name: what a tokenizer or a load test would really meet.

Goes in: the name. Comes out: a text, always the same for the same name, or none. Nobody's data:
mail and web addresses are at example.com (RFC 2606), telephone numbers and network addresses are
those kept for examples.
"""

from __future__ import annotations

import re

# The first row with a word of the name counts: `message_date` is a date, `email_subject` a subject,
# `country_name` a country. Words of five letters and more count inside longer ones too, as in
# `itemdescription`. `_` joins words that have to follow one another.
WORDING = (
    ("uuid guid", "123e4567-e89b-12d3-a456-426614174000"),
    ("id ids asin sku", "A1B2C3D4E5"),
    ("timestamp datetime created_at updated_at", "2026-01-15T09:30:00Z"),
    ("date birthday dob", "2026-01-15"),
    ("time", "09:30:00"),
    ("url uri link website", "https://www.example.com/items/1"),
    ("phone mobile_number", "+1 202 555 0123"),
    ("ip ip_address", "192.0.2.1"),
    ("user_agent useragent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"),
    ("country", "US"),
    ("currency", "USD"),
    ("locale", "en-US"),
    ("language lang", "en"),
    ("postcode postal zip zipcode", "98101"),
    ("city town", "Seattle"),
    ("title subject headline product_name item_name", "Wireless headphones with charging case"),
    (
        "description desc summary abstract",
        (
            "Wireless over-ear headphones with noise cancelling, 30 hours of battery life and a "
            "charging case. Pairs with two devices at once."
        ),
    ),
    (
        "review feedback",
        (
            "Works well and arrived on time. The sound is clear, the battery lasts for days, and I "
            "would buy it again."
        ),
    ),
    (
        "comment note notes remark",
        "Please leave the parcel with the neighbour if nobody is at home.",
    ),
    (
        "dialog chat chats conversation transcript",
        (
            "Customer: Hello, my order has not arrived yet. Can you tell me where it is? "
            "Agent: I am sorry about that. It left the warehouse on Monday and should reach you "
            "tomorrow. Customer: Thank you, I will wait until then."
        ),
    ),
    ("question query prompt", "Where is my order, and when will it arrive?"),
    (
        "message msg sms",
        "Hello, my order has not arrived yet. Can you tell me where it is?",
    ),
    (
        "shiptrack tracking shipment event",
        "Label created; Picked up by the carrier; In transit; Out for delivery; Delivered",
    ),
    (
        "text body content document article paragraph sentence",
        "The parcel arrived two days late, but everything was in the box and works as described.",
    ),
    ("email mail", "jane.doe@example.com"),
    ("address street", "1 Example Street"),
    ("company brand merchant vendor", "Example Company"),
    ("filename file_name", "document.pdf"),
    ("first_name firstname given_name", "Jane"),
    ("last_name lastname surname family_name", "Doe"),
    ("name fullname username", "Jane Doe"),
)
_INSIDE = 5  # letters: shorter words mean other things inside a longer one
# A name that ends so says something about what its other words name: `message_type`, `time_zone`.
_ABOUT = re.compile("_(type|kind|class|category|group|level|status|flag|format|channel|zone)_$")


def worded(name: str) -> str | None:
    """Give a text for a field of this name, or None where the name tells nothing."""
    words = f"_{'_'.join(_words(name))}_"
    if _ABOUT.search(words):
        return None
    for known, text in WORDING:
        for word in known.split():
            if f"_{word}_" in words or (len(word) >= _INSIDE and word in words):
                return text
    return None


def _words(name: str) -> list[str]:
    """Split snake_case, camelCase, spaces and digits into lower-case words."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.findall(r"[^\W\d_]+", apart.lower())
