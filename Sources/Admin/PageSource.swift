package import Observability
package import Policy

/// What pages are written from: the tables that go on counting, and what is so at the time the page is asked for.
package struct PageSource {
  let health: HealthStore
  let metrics: Metrics
  let activity: Activity
  let facts: OperatingFacts

  package init(_ health: HealthStore, _ metrics: Metrics, _ activity: Activity, _ facts: OperatingFacts) {
    self.health = health
    self.metrics = metrics
    self.activity = activity
    self.facts = facts
  }
}
