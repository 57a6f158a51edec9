"""The facts and words that Minnow learns, as plain lists."""

COUNTRIES = dict(pair.split(":") for pair in (
    "France:Paris,Germany:Berlin,Italy:Rome,Spain:Madrid,Portugal:Lisbon,Greece:Athens,Austria:Vienna,"
    "Switzerland:Bern,Belgium:Brussels,Ireland:Dublin,Poland:Warsaw,Hungary:Budapest,Romania:Bucharest,"
    "Bulgaria:Sofia,Serbia:Belgrade,Croatia:Zagreb,Sweden:Stockholm,Norway:Oslo,Denmark:Copenhagen,"
    "Finland:Helsinki,Iceland:Reykjavik,Estonia:Tallinn,Latvia:Riga,Lithuania:Vilnius,Ukraine:Kyiv,"
    "Russia:Moscow,Turkey:Ankara,Egypt:Cairo,Morocco:Rabat,Tunisia:Tunis,Algeria:Algiers,Kenya:Nairobi,"
    "Ethiopia:Addis Ababa,Ghana:Accra,Nigeria:Abuja,Senegal:Dakar,Uganda:Kampala,Rwanda:Kigali,Angola:Luanda,"
    "Zambia:Lusaka,Namibia:Windhoek,Japan:Tokyo,China:Beijing,India:New Delhi,Nepal:Kathmandu,Thailand:Bangkok,"
    "Vietnam:Hanoi,Indonesia:Jakarta,Malaysia:Kuala Lumpur,Mongolia:Ulaanbaatar,Pakistan:Islamabad,"
    "Bangladesh:Dhaka,Iran:Tehran,Iraq:Baghdad,Jordan:Amman,Lebanon:Beirut,Qatar:Doha,Oman:Muscat,"
    "Georgia:Tbilisi,Armenia:Yerevan,Canada:Ottawa,Mexico:Mexico City,Cuba:Havana,Jamaica:Kingston,"
    "Brazil:Brasilia,Argentina:Buenos Aires,Chile:Santiago,Peru:Lima,Ecuador:Quito,Colombia:Bogota,"
    "Venezuela:Caracas,Uruguay:Montevideo,Paraguay:Asuncion,Australia:Canberra,Fiji:Suva,Samoa:Apia").split(","))
COUNTRIES |= dict(pair.split(":") for pair in (
    "the United States:Washington,the United Kingdom:London,the Netherlands:Amsterdam,South Korea:Seoul,"
    "South Africa:Pretoria,New Zealand:Wellington,Czechia:Prague,Slovakia:Bratislava,Slovenia:Ljubljana,"
    "Saudi Arabia:Riyadh,the Philippines:Manila,Afghanistan:Kabul,Syria:Damascus,Albania:Tirana,Malta:Valletta,"
    "Libya:Tripoli,Scotland:Edinburgh,Wales:Cardiff").split(","))
CAPITALS = COUNTRIES | {"the USA": "Washington", "the UK": "London", "England": "London",  # other names
                        "Holland": "Amsterdam", "Great Britain": "London", "the Czech Republic": "Prague"}

OPPOSITES = [tuple(pair.split(":")) for pair in (
    "hot:cold,big:small,tall:short,fast:slow,happy:sad,light:dark,day:night,up:down,left:right,open:closed,"
    "old:young,rich:poor,strong:weak,hard:soft,wet:dry,full:empty,clean:dirty,early:late,loud:quiet,thick:thin,"
    "wide:narrow,deep:shallow,near:far,high:low,true:false,good:bad,safe:dangerous,brave:afraid,sweet:bitter,"
    "win:lose,push:pull,buy:sell,give:take,begin:end,start:stop,find:hide,laugh:cry,love:hate,remember:forget,"
    "inside:outside,above:below,before:after,first:last,always:never,everything:nothing,many:few,more:less,"
    "yes:no,north:south,east:west,summer:winter,friend:enemy,question:answer,heavy:weightless,smooth:rough,"
    "sharp:blunt,simple:complex,cheap:expensive,polite:rude,wise:foolish,front:back,asleep:awake,alive:dead,"
    "arrive:leave,rise:fall,float:sink,build:destroy,freeze:melt,lazy:busy,modern:ancient,public:private").split(",")]

NO_OPPOSITE = ("table river paper window seven banana engine kettle purple tiger cheese guitar planet "
               "carpet lemon ladder wagon camera pillow copper").split()

COLOURS = ("red blue green yellow purple orange pink brown black white grey teal silver gold violet crimson "
           "turquoise amber scarlet indigo").split()

NAMES = ("Anna Ben Clara David Emma Felix Grace Hugo Iris Jack Kate Leo Maya Nora Oscar Paula Quinn Rosa Sam Tara "
         "Uma Victor Wendy Xena Yusuf Zoe Alice Bruno Carmen Diego Elena Frank Gina Henry Ivan Julia Karl Linda "
         "Marco Nina Otto Petra Ralph Sofia Tom Ursula Vera Walter Yara Zack Amir Bella Chen Dora Erik Fatima "
         "George Hana Ingrid Jonas Kofi Lena Miguel Nadia Omar Priya Rahul Sara Tomas Vikram Wei Yuki Adele Boris "
         "Cleo Dmitri Esther Flora Gustav Heidi Igor Jamal Kira Lars Mila Noah Olive Pablo Rita Stefan Thea "
         "Vito").split()
NAMES_HELD_OUT = ("Tova Marlon Selma Rufus Bianca Dexter Helga Ronan Pippa Kenji Lorna Matteo Saskia Edwin Zelda "
                  "Corin Danica Fergus Imelda Jorah").split()

PETS = "dog cat hamster parrot rabbit horse goldfish turtle".split()

ADJECTIVES = "little brave clever lonely curious old tiny gentle sleepy golden kind shy".split()

WORDS = (
    "apple anchor animal autumn arrow artist bread bridge basket button butter bottle branch breeze brush bubble "
    "castle candle carpet circle cloud clock coffee copper corner cotton cousin cradle crayon cricket crystal "
    "dragon desert dinner doctor donkey drawer dream driver duck eagle earth elbow engine evening feather fence "
    "finger flower forest fossil fountain fox frog garden ghost giant ginger glass glove goat grape grass guitar "
    "hammer harbor hat hedgehog helmet hill honey horse house hunter island ivory jacket jungle kettle kitchen "
    "kitten knight ladder lamp lantern lemon letter library lion lizard magnet mango maple marble market meadow "
    "melon mirror monkey moon morning mountain mouse music napkin needle nest number nurse ocean office onion "
    "orange orchard otter owl paint palace panda paper parrot pencil pepper piano picnic pillow pirate planet "
    "plum pocket poem pony potato prince puzzle queen rabbit rain raven ribbon river robot rocket rope rose "
    "sailor salad salmon school shadow sheep shell ship silver singer snail snow soldier spider spoon spring "
    "squirrel star station stone storm street sugar sunset table tailor teacher temple thunder tiger tomato tower "
    "train tree tulip tunnel turtle valley vase village violin wagon walrus water whale wheel whistle window wolf "
    "wonder yellow zebra bird book boat bear bell cake camel card chair child clown comet coral crab crow dance "
    "deer dolphin door dove drum fairy falcon farmer field fire fish flag flame flute gate gem hero king kite lake "
    "leaf mermaid mole moth oak path pear penguin pig pine pond pot ring road rock root sail sand seal seed shark "
    "shop silk sky song soup swan sword toad troll unicorn vine wave wind witch wizard wood worm").split()
WORDS_HELD_OUT = (
    "almond badger blanket bucket cactus camera canyon cherry cobweb dagger daisy falcon ferret garlic gravel hazel "
    "iguana jigsaw kernel lobster mitten muffin nutmeg oyster parcel peacock pebble pumpkin quiver radish saddle "
    "sparrow teapot thimble trumpet velvet walnut weasel wizard yogurt compass lagoon beetle goblin cabin "
    "monk lynx tractor gecko ember").split()
WORDS = [w for w in WORDS if w not in WORDS_HELD_OUT]

UNKNOWN_QUESTIONS = (  # braced slots are filled from UNKNOWN_THINGS or with an invented name
    "Who wrote {}?|Who invented the {}?|When was {} born?|How tall is {}?|How old is {}?|Who painted {}?|"
    "What is the population of {}?|What is the weather in {}?|How far is it to {}?|Who is the president of {}?|"
    "What language do they speak in {}?|How do I get to {}?|What is {} made of?|How does a {} work?|"
    "Why is the {} so big?|How much does a {} cost?|Who discovered {}?|What year did {} start?|Explain {}.|"
    "What do you think about {}?|How many people live in {}?|Give me a recipe for {}.|Write code for {}.|"
    "Translate {} into French.|What is the square root of {}?|Who won the match in {}?|What is the news about {}?|"
    "Define {}.|How do I cook {}?|What is the best {}?|How heavy is a {}?|When is {}?|Who is {}?|What is {}?|"
    "Why do people like {}?|How do you make a {}?|Where can I buy a {}?|What is the history of {}?|Can you draw a {}?|"
    "Who owns {}?|What is the speed of {}?|What should I wear to {}?|How long is {}?|Why does {} happen?|"
    "What happened in {}?|Which {} is the best?|What colour is {}?|Recommend a {}.|How do I fix my {}?|"
    "What time is it in {}?|Is {} dangerous?|What is the temperature of {}?|What is the meaning of {}?|"
    "Who is the king of {}?|What is the price of {}?|Summarise {}.|What time is it?|What day is it today?|"
    "Will it rain tomorrow?|What is the meaning of life?|What is love?|Why is the sky blue?|How many stars are there?|"
    "Who was the first man on the moon?|How do planes fly?|What should I eat tonight?|Who will win the election?|"
    "What is the stock price today?|Play some music.|Why do cats sleep so much?|Why do dogs bark?|"
    "How many moons does {} have?|How many legs does a {} have?|Do fish sleep?|Why do we dream?|"
    "How many players are in {}?|Set a timer.|What is my horoscope?|How do magnets work?|Sing a song.|Write a poem.|"
    "Why?|What?|Huh?|?|Tell me more.|Go on.|Again|Repeat that.|Tell me another one.|Draw a picture.|"
    "What is the weather like?|Who is the president?|Count to ten.|What do you mean?|How come?|What is the time?|"
    "What year is it?|Do you know {}?|Have you seen {}?|Sing {}.|What is {} about?|Tell me about {}.|"
    "Tell me something.|Tell me a secret.|Tell me a fact.|What is new?|Who am I to you?|What is Vulkan?|What is a GPU?|"
    "What is DeepSeek?|Is there a god?|Can you write code?|Can you draw?|Can you sing?|Say something.|I want {}.|"
    "I need a {}.|What is the biggest {}?|How many hours are in a day?|How many days are in a year?|"
    "Which is bigger, {} or the moon?|What is the colour of {}?|Why not?|Who cares?|Can you cook?").split("|")
UNKNOWN_QUESTIONS_HELD_OUT = (
    "Who built {}?|How deep is {}?|Who sang {}?|What is the currency of {}?|How fast is a {}?|"
    "What is the tallest {}?|When did {} end?|Who is the mayor of {}?|How do I repair a {}?|"
    "Why is {} famous?|How many rooms does {} have?|Who was the first {}?|"
    "Why do birds sing at night?|What should I read next?").split("|")
UNKNOWN_THINGS = (
    "gravity|Hamlet|the Mona Lisa|the telephone|photosynthesis|Saturn|the Eiffel Tower|chess|bread|pancakes|1998|"
    "the ocean|electricity|Mozart|Einstein|Shakespeare|the sun|quantum physics|democracy|the moon|volcano|bicycle|"
    "computer|football|London|New York|Mars|history|sushi|opera|philosophy|jazz|2012|inflation|rainbow|steam engine|"
    "Napoleon|Cleopatra|Africa|Antarctica|the internet|laptop|movie|novel|lasagna|soup|sorting a list|a web server|"
    "good morning|seventeen|light|a black hole|the Nile|Mount Everest|dinosaurs|evolution|phone|car|guitar").split("|")
