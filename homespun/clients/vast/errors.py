"""What can go wrong with vast.ai beyond what can with any service.

ServiceError
  Missing
    OfferTaken         nothing was rented: take the next offer
    NoOffer            nothing was rented: nobody offers what is asked for
  Unreachable
    LostReply          something may have been rented: look for it by its label
  Broken
    Incomplete         an answer about instances that tells of none that it is not there
  CreatedDespiteError  something was rented, though vast.ai calls it an error: destroy it
  NotDestroyed         something may go on costing money: try again, and tell a person
  NotUp                what was rented does not become a machine that can be reached: destroy it, and take another
"""

from homespun.clients.errors import Broken, Missing, ServiceError, Unreachable


class OfferTaken(Missing):
    """The offer is another's by now, or withdrawn. Nothing was rented."""


class NoOffer(Missing):
    """Nothing on the market is as asked, at that price."""


class LostReply(Unreachable):
    """The request to rent went out and no answer that can be read came back: an instance of this label may exist."""


class Incomplete(Broken):
    """Not all of the account's instances were told; one that is not among them may exist all the same."""


class CreatedDespiteError(ServiceError):
    """An error that names an instance: it exists, and costs money. A bid that is too low makes a stopped one."""

    def __init__(self, message: str, instance_id: int) -> None:
        super().__init__(message)
        self.instance_id = instance_id
        """To be destroyed."""


class NotDestroyed(ServiceError):
    """It is not known to be destroyed, so it may go on costing money; the message says how to end it by hand."""

    def __init__(self, message: str, instance_id: int) -> None:
        super().__init__(message)
        self.instance_id = instance_id
        """To be destroyed still."""


class NotUp(ServiceError):
    """It ended, was outbid, or was not to be reached in time."""
