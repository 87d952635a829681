//! Which type and zone is asked for next, with what all workers of the place know of shortages there.

use domain::Timestamp;
use domain::capacity::{Choice, Market, Scarcity, Shortage, choose, fallback_reason, words};
use domain::worker::{Offer, Worker};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::Ec2Error;
use crate::store::KnownShortage;

/// How often a choice is made anew when others ask for the same at the same moment.
const ATTEMPTS: usize = 5;

/// What to do about capacity.
#[derive(Debug)]
pub(super) enum Ask {
    /// Ask EC2 for this.
    For(Ticket),
    /// Nothing may be asked for before that time; what is waited for.
    NotBefore(Timestamp, String),
    /// Nothing that may be asked for is offered: EC2's code, and words.
    NotOffered(String, String),
}

/// Leave to ask EC2 for something once.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) offer: Offer,
    /// Why it is not the first choice, if it is not.
    pub(super) fallback: Option<String>,
    market: Market,
    known: KnownShortage,
}

/// Chooses among the offers, best first; `call` and `verb` are for the words, `zone` is that of an instance that
/// exists. Where a shortage is known, the one who asks again is the only one for that step.
pub(super) async fn ask(
    ctx: &Context,
    worker: &Worker,
    offers: &[Offer],
    zone: Option<&str>,
    (call, verb, by): (&str, &str, &str),
) -> Result<Ask, AppError> {
    let now = ctx.now();
    let markets: Vec<Market> = offers.iter().map(|offer| Market::of(worker, offer, zone)).collect();
    for _ in 0..ATTEMPTS {
        let mut known = ctx.store.shortages(&markets, now).await?;
        let shortages: Vec<Option<Shortage>> = known.iter().map(|known| known.shortage.clone()).collect();
        let n = match choose(&shortages, now) {
            Choice::Ask(n) => n,
            Choice::Wait { offer, until } => {
                let code = shortages[offer].as_ref().map_or("", |shortage| shortage.code.as_str());
                let what = words(&markets[offer]);
                let then = until.strftime("%H:%M UTC");
                let what = format!("EC2 to accept {call} ({code}: no {what}; asked again at {then})");
                return Ok(Ask::NotBefore(until, what));
            }
            Choice::NotOffered(n) => {
                let code = shortages[n].as_ref().map_or("", |shortage| shortage.code.as_str());
                return Ok(Ask::NotOffered(code.into(), format!("EC2 does not offer {} there.", words(&markets[n]))));
            }
        };
        let mut chosen = std::mem::take(&mut known[n]);
        if let Some(shortage) = &chosen.shortage {
            let probed = shortage.probed(now, ctx.random.next());
            match ctx.store.save_shortage(&markets[n], &chosen, &probed).await? {
                Some(ours) => chosen = ours,
                // Somebody else asks for it now.
                None => continue,
            }
        }
        let seen: Vec<(Market, Option<Shortage>)> = markets.iter().cloned().zip(shortages).collect();
        let fallback = fallback_reason(verb, by, &seen, n);
        let (offer, market) = (offers[n].clone(), markets[n].clone());
        return Ok(Ask::For(Ticket { offer, fallback, market, known: chosen }));
    }
    Ok(Ask::NotBefore(now, "others to ask EC2 for the same".into()))
}

impl Ticket {
    /// EC2 answered; what it said of its capacity is known to all from now on.
    pub(super) async fn settle(&self, ctx: &Context, error: Option<&Ec2Error>) -> Result<(), AppError> {
        let Some(error) = error else { return ctx.store.end_shortage(&self.market, &self.known).await };
        let before = self.known.shortage.as_ref();
        match Shortage::after(before, &error.code, ctx.now(), ctx.random.next()) {
            // Another one met it at the same moment: what that one wrote is as good.
            Some(shortage) => ctx.store.save_shortage(&self.market, &self.known, &shortage).await.map(drop),
            None => Ok(()),
        }
    }
}

/// Whether the error is about capacity, or about what a zone offers.
pub(super) fn is_scarce(error: &Ec2Error) -> bool {
    Scarcity::of(&error.code).is_some()
}
